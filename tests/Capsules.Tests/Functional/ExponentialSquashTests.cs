using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Tests.Functional;

public class ExponentialSquashTests
{
    public static TheoryData<ScalarType> Dtypes => [ScalarType.Float16, ScalarType.BFloat16, ScalarType.Float32, ScalarType.Float64];

    [Theory]
    [InlineData(3, 4, .595957, .79461)]
    [InlineData(1, 0, .632121, 0)]
    public void ExponentialSquash_WorkedExamples_GiveTheirValues(double x, double y, double vx, double vy)
    {
        using var scope = NewDisposeScope();
        F.exponential_squash(tensor([x, y])).ShouldBeClose(tensor([vx, vy]), 1e-6);
    }

    [Theory]
    [MemberData(nameof(Dtypes))]
    public void ExponentialSquash_ZeroVector_IsZeroWithTheIdentityAsGradientInEveryDtype(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var s = zeros([2, 3], dtype, requires_grad: true);
        var v = F.exponential_squash(s);
        (v * tensor([1.0, 2, 3]).to(dtype)).sum().backward();

        v.dtype.Should().Be(dtype);
        v.ToDoubles().Should().AllBeEquivalentTo(0.0);
        s.grad!.ToDoubles().Should().Equal(1, 2, 3, 1, 2, 3);
    }

    [Theory]
    [InlineData(1e-25)]
    [InlineData(1e-18)]
    [InlineData(1e-10)]
    [InlineData(1e-3)]
    [InlineData(20)]
    [InlineData(1e18)]
    public void ExponentialSquash_LengthsNearAndFarFromZero_ValueAndGradientAreRight(double n)
    {
        using var scope = NewDisposeScope();
        var s = tensor([(float)(0.6 * n), (float)(0.8 * n)]).requires_grad_();
        var v = F.exponential_squash(s);
        v[0].backward();

        // v_0 = s_0 g(n), g(n) = (1 - exp(-n)) / n, whose slope by series near zero, where the formula cancels.
        var g = n < 1e-5 ? 1 - n / 2 : (1 - Math.Exp(-n)) / n;
        var slope = n < 1e-5 ? -0.5 : (Math.Exp(-n) * (n + 1) - 1) / (n * n);
        double[] expected = [g + 0.36 * n * slope, 0.48 * n * slope];
        v.ToDoubles()[0].Should().BeApproximately(0.6 * n * g, 1e-6 * n * g);
        var gradient = s.grad!.ToDoubles();
        gradient[0].Should().BeApproximately(expected[0], 1e-6 * g);
        gradient[1].Should().BeApproximately(expected[1], 1e-6 * g);
    }

    [Fact]
    public void ExponentialSquash_Lengths_AreOneMinusExp()
    {
        using var scope = NewDisposeScope();
        var s = randn([5, 4, 3], float64) * 3;
        F.length(F.exponential_squash(s)).ShouldBeClose(1 - (-F.length(s)).exp(), 1e-12);
    }

    [Fact]
    public void ExponentialSquash_AlongAnotherDim_IsTheTransposed()
    {
        using var scope = NewDisposeScope();
        var s = randn(2, 5, 3);
        F.exponential_squash(s, dim: 1).ShouldBeClose(F.exponential_squash(s.transpose(1, 2)).transpose(1, 2));
        using var module = new ExponentialSquash(dim: 1);
        module.Dim.Should().Be(1);
        module.call(s).Equals(F.exponential_squash(s, dim: 1)).Should().BeTrue();
    }

    [Fact]
    public void ExponentialSquash_RandomVectors_MatchFiniteDifferences()
    {
        using var scope = NewDisposeScope();
        var s = randn([3, 4], float64).requires_grad_();
        GradientCheck.Verify(() => F.exponential_squash(s), s);
    }

    [Fact]
    public void ExponentialSquash_Integers_SaysWhatToDo() =>
        ((Action)(() => F.exponential_squash(ones(2, 3, dtype: int64)))).Should().Throw<ArgumentException>()
            .WithMessage("exponential_squash expected s of a floating-point dtype, but got Int64. Convert it with s.to(torch.float32).*");

    [Fact]
    public void ExponentialSquash_MissingDim_ThrowsWithTheRange() =>
        ((Action)(() => F.exponential_squash(ones(2, 3), dim: 2))).Should().Throw<ArgumentException>()
            .WithMessage("exponential_squash expected dim in [-2, 1] for s of shape (2, 3), but got 2.*");
}
