using static TorchSharp.torch;

namespace Capsules.Tests.Convolutions;

public class BatchProductTests
{
    [Theory]
    [InlineData(3, 2, 4)]           // libtorch has a way of its own for few products
    [InlineData(40, 30, 50)]
    public void Store_WithAndWithoutAdding_GivesTheProductInThePlaceThatIsThere(long rows, long inner, long columns)
    {
        using var scope = NewDisposeScope();
        var (a, b) = (randn(5, rows, inner), randn(5, columns, inner).transpose(1, 2));
        var result = full([5, rows, columns], float.NaN);
        BatchProduct.Store(result, a, b, add: false);      // what was there, NaN too, counts for nothing
        result.ShouldBeClose(a.bmm(b), 1e-4);
        BatchProduct.Store(result, a, b, add: true);
        result.ShouldBeClose(a.bmm(b).mul(2), 1e-4);
    }

    // Parts of larger matrices, as a group of products has them: what is around them stays.
    [Theory]
    [InlineData(true, 2, 3, 4)]
    [InlineData(true, 40, 30, 50)]
    [InlineData(false, 40, 30, 50)]
    public void Store_PartOfLargerMatrices_FillsThatAlone(bool native, long rows, long inner, long columns)
    {
        using var scope = NewDisposeScope();
        var (a, b) = (randn(5, rows, inner + 1).narrow(2, 0, inner), randn(5, columns, inner).transpose(1, 2));
        var whole = full([5, rows + 7, columns + 7], float.NaN);
        var result = whole.narrow(1, 0, rows).narrow(2, 0, columns);
        Action<bool> store = native ? add => BatchProduct.Store(result, a, b, add) : add => BatchProduct.StoreByCopy(result, a, b, add);
        store(false);
        result.ShouldBeClose(a.bmm(b), 1e-4);
        store(true);
        result.ShouldBeClose(a.bmm(b).mul(2), 1e-4);
        whole.isnan().sum().item<long>().Should().Be(whole.numel() - result.numel());
    }

    [Fact]
    public void Store_ShapesThatDoNotFit_Throws()
    {
        using var scope = NewDisposeScope();
        var act = () => BatchProduct.Store(zeros(2, 3, 3), zeros(2, 3, 4), zeros(2, 5, 3), add: false);
        act.Should().Throw<InvalidOperationException>();
    }
}
