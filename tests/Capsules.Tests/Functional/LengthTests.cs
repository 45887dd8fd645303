using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Tests.Functional;

public class LengthTests
{
    [Fact]
    public void Length_KnownVector_IsItsNorm()
    {
        using var scope = NewDisposeScope();
        F.length(tensor([3.0, 4.0]).reshape(1, 1, 2)).ShouldBeClose(tensor([5.0]).reshape(1, 1));
        F.length(ones(2, 4, 3), dim: 1, keepdim: true).ShouldBeClose(full([2, 1, 3], 2.0));
    }

    [Theory]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    public void Length_ZeroVector_HasZeroGradient(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var v = zeros([1, 2, 3], dtype, requires_grad: true);
        F.length(v).sum().backward();
        v.grad!.ToDoubles().Should().AllBeEquivalentTo(0.0);
    }

    [Fact]
    public void Length_RandomVectors_MatchesFiniteDifferences()
    {
        using var scope = NewDisposeScope();
        var v = randn([2, 3, 4], float64, requires_grad: true);
        GradientCheck.Verify(() => F.length(v), v);
    }
}
