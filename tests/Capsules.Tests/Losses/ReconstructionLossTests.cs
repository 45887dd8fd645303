using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Tests.Losses;

public class ReconstructionLossTests
{
    [Fact]
    public void ReconstructionLoss_KnownDifference_IsWeightTimesSumOfSquaresPerImage()
    {
        using var scope = NewDisposeScope();
        var (x, y) = (zeros([2, 3, 4, 5], float64), full([2, 3, 4, 5], 2.0, float64));
        new ReconstructionLoss().call(x, y).item<double>().Should().BeApproximately(0.0005 * 4 * 60, 1e-12);
        F.reconstruction_loss(x, y, weight: 1, nn.Reduction.Sum).item<double>().Should().BeApproximately(2 * 4 * 60, 1e-9);
        F.reconstruction_loss(x, y, reduction: nn.Reduction.None).shape.Should().Equal(2);
    }

    [Fact]
    public void ReconstructionLoss_RandomImages_MatchesFiniteDifferences()
    {
        using var scope = NewDisposeScope();
        var (x, y) = (rand([2, 1, 3, 2], float64).requires_grad_(), rand([2, 1, 3, 2], float64).requires_grad_());
        GradientCheck.Verify(() => F.reconstruction_loss(x, y), x, y);
    }

    [Fact]
    public void ReconstructionLoss_OtherShape_ThrowsWithBothShapesRatherThanBroadcast()
    {
        using var scope = NewDisposeScope();
        var act = () => F.reconstruction_loss(rand(2, 784), rand(2, 1, 28, 28));
        act.Should().Throw<ArgumentException>().WithMessage(
            "reconstruction_loss expected image of the shape of reconstruction, (2, 784), but got (2, 1, 28, 28).*");
    }

    [Fact]
    public void ReconstructionLoss_NegativeWeight_Throws() =>
        ((Action)(() => new ReconstructionLoss(-1))).Should().Throw<ArgumentOutOfRangeException>().WithMessage("weight must be finite and at least 0.*");
}
