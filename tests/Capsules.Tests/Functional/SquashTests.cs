using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Tests.Functional;

public class SquashTests
{
    public static TheoryData<ScalarType> Dtypes => [ScalarType.Float16, ScalarType.BFloat16, ScalarType.Float32, ScalarType.Float64];

    [Theory]
    [InlineData(3, 4, 0.576923, 0.769231)]
    [InlineData(1, 0, 0.5, 0)]
    [InlineData(0.1, 0, 0.00990099, 0)]
    public void Squash_PublishedVectors_GivesPublishedValues(double x, double y, double vx, double vy)
    {
        using var scope = NewDisposeScope();
        F.squash(tensor([x, y])).ShouldBeClose(tensor([vx, vy]), 1e-6);
    }

    [Theory]
    [MemberData(nameof(Dtypes))]
    public void Squash_ZeroVector_IsZeroWithZeroGradientInEveryDtype(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var s = zeros([2, 3], dtype, requires_grad: true);
        var v = F.squash(s);
        v.sum().backward();

        v.dtype.Should().Be(dtype);
        v.ToDoubles().Should().AllBeEquivalentTo(0.0);
        s.grad!.ToDoubles().Should().AllBeEquivalentTo(0.0);
    }

    [Theory]
    [InlineData(1e-18, 1e-5)]
    [InlineData(1e-10, 1e-6)]
    [InlineData(1e-3, 1e-6)]
    [InlineData(1e18, 1e-6)]
    public void Squash_LengthsNearAndFarFromZero_ValueAndGradientAreRight(double length, double tolerance)
    {
        using var scope = NewDisposeScope();
        var s = tensor([(float)(0.6 * length), (float)(0.8 * length)]).requires_grad_();
        var v = F.squash(s);
        v[0].backward();

        // v_0 = s_0 n / (1 + n^2); its derivatives by s_0 and s_1 in double precision.
        var n = length;
        var f = n / (1 + n * n);
        var slope = (1 - n * n) / Math.Pow(1 + n * n, 2);      // df/dn
        double[] expected = [f + 0.36 * n * slope, 0.48 * n * slope];
        v.ToDoubles()[0].Should().BeApproximately(0.6 * n * f, tolerance * n * f);
        var gradient = s.grad!.ToDoubles();
        var scale = Math.Max(Math.Abs(expected[0]), Math.Abs(expected[1]));
        gradient[0].Should().BeApproximately(expected[0], tolerance * scale * 10);
        gradient[1].Should().BeApproximately(expected[1], tolerance * scale * 10);
    }

    [Fact]
    public void Squash_AlongAnotherDim_IsTheTransposed()
    {
        using var scope = NewDisposeScope();
        var s = randn(2, 5, 3);
        F.squash(s, dim: 1).ShouldBeClose(F.squash(s.transpose(1, 2)).transpose(1, 2));
    }

    [Fact]
    public void Squash_WithEps_IsTheKerasEquation()
    {
        using var scope = NewDisposeScope();
        var n = Math.Sqrt(25 + 1e-7);
        F.squash(tensor([3.0, 4.0]), eps: 1e-7).ShouldBeClose(tensor([3 * n / (1 + n * n), 4 * n / (1 + n * n)]), 1e-12);
    }

    [Fact]
    public void Squash_RandomVectors_MatchesFiniteDifferences()
    {
        using var scope = NewDisposeScope();
        var s = randn([3, 4], float64, requires_grad: true);
        GradientCheck.Verify(() => F.squash(s), s);
        s.grad!.zero_();
        GradientCheck.Verify(() => F.squash(s, dim: 0, eps: 0.01), s);
    }

    [Fact]
    public void Squash_BFloat16_IsFloat32RoundedOnce()
    {
        using var scope = NewDisposeScope();
        var s = randn(4, 33).to(bfloat16);
        F.squash(s).ToDoubles().Should().Equal(F.squash(s.to(float32)).to(bfloat16).ToDoubles());
    }

    [Fact]
    public void Squash_Integers_ThrowsWithTheFix()
    {
        using var s = ones([2], int64);
        var act = () => F.squash(s);
        act.Should().Throw<ArgumentException>()
            .WithMessage("squash expected s of a floating-point dtype, but got Int64. Convert it with s.to(torch.float32).*");
    }

    [Fact]
    public void Squash_MissingDim_ThrowsWithTheRange()
    {
        using var s = ones(2, 3);
        var act = () => F.squash(s, dim: 2);
        act.Should().Throw<ArgumentException>().WithMessage("squash expected dim in [-2, 1] for s of shape (2, 3), but got 2.*");
    }

    [Theory]
    [InlineData(-1e-9)]
    [InlineData(double.NaN)]
    [InlineData(1e-50)]
    public void Squash_BadEps_Throws(double eps)
    {
        using var s = ones(2);
        ((Action)(() => F.squash(s, eps: eps))).Should().Throw<ArgumentOutOfRangeException>().WithMessage("eps must be 0, or finite and at least 1.2e-38.*");
        ((Action)(() => new Squash(eps: eps))).Should().Throw<ArgumentOutOfRangeException>();
    }
}
