using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Tests.Losses;

public class MarginLossTests
{
    [Fact]
    public void MarginLoss_PublishedExample_IsThreeHundredths()
    {
        using var scope = NewDisposeScope();
        new MarginLoss().call(tensor([0.8, 0.3, 0.05]).reshape(1, 3), tensor([0L])).item<double>().Should().BeApproximately(0.03, 1e-12);
    }

    // Diagnostic constants of a network that has learned nothing: all lengths 0, and all equal at the collapsed optimum.
    [Theory]
    [InlineData(0.0, 0.81)]
    [InlineData(0.2454545454, 0.523636)]
    public void MarginLoss_TenEqualLengths_IsTheDiagnosticConstant(double length, double expected)
    {
        using var scope = NewDisposeScope();
        F.margin_loss(full([4, 10], length, float64), tensor([0L, 3L, 9L, 5L])).item<double>().Should().BeApproximately(expected, 1e-6);
    }

    [Fact]
    public void MarginLoss_OfficialCode_IsATwentiethForTenClasses()
    {
        using var scope = NewDisposeScope();
        var (lengths, target) = (rand([5, 10], float64), tensor([1L, 2L, 3L, 4L, 5L]));
        var paper = F.margin_loss(lengths, target).item<double>();
        new MarginLoss(preset: Preset.OfficialCode).call(lengths, target).item<double>().Should().BeApproximately(paper / 20, 1e-12);
    }

    [Fact]
    public void MarginLoss_TwoClassesPresent_SumsBothPositiveTerms()
    {
        using var scope = NewDisposeScope();
        var lengths = tensor([0.5, 0.7, 0.4]).reshape(1, 3);
        var presence = tensor([1L, 1L, 0L]).reshape(1, 3);
        var expected = 0.4 * 0.4 + 0.2 * 0.2 + 0.5 * 0.3 * 0.3;
        F.margin_loss(lengths, presence).item<double>().Should().BeApproximately(expected, 1e-12);
    }

    [Fact]
    public void MarginLoss_Reductions_AreMeanSumAndNone()
    {
        using var scope = NewDisposeScope();
        var (lengths, target) = (rand([3, 4], float64), tensor([0L, 1L, 2L]));
        var each = F.margin_loss(lengths, target, reduction: nn.Reduction.None);
        each.shape.Should().Equal(3);
        F.margin_loss(lengths, target, reduction: nn.Reduction.Sum).ShouldBeClose(each.sum());
        F.margin_loss(lengths, target).ShouldBeClose(each.mean());
    }

    [Fact]
    public void MarginLoss_OtherMarginsAndWeight_AreUsed()
    {
        using var scope = NewDisposeScope();
        var loss = new MarginLoss(positiveMargin: 0.95, negativeMargin: 0.05, negativeWeight: 0.8);
        var expected = 0.15 * 0.15 + 0.8 * 0.25 * 0.25;
        loss.call(tensor([0.8, 0.3]).reshape(1, 2), tensor([0L])).item<double>().Should().BeApproximately(expected, 1e-12);
    }

    [Theory]
    [InlineData(Preset.Paper)]
    [InlineData(Preset.OfficialCode)]
    public void MarginLoss_RandomLengths_MatchesFiniteDifferences(Preset preset)
    {
        using var scope = NewDisposeScope();
        var lengths = rand([3, 4], float64).requires_grad_();
        GradientCheck.Verify(() => F.margin_loss(lengths, tensor([0L, 1L, 3L]), preset: preset), lengths);
    }

    [Fact]
    public void MarginLoss_Capsules_AsksForTheirLengths()
    {
        using var scope = NewDisposeScope();
        var act = () => F.margin_loss(rand(2, 3, 4), tensor([0L, 1L]));
        act.Should().Throw<ArgumentException>().WithMessage(
            "margin_loss expected lengths of shape (B, J) = (*, *), but got (2, 3, 4). Give the lengths of the capsules: Functional.length(capsules).*");
    }

    [Fact]
    public void MarginLoss_LabelOutOfRange_Throws()
    {
        using var scope = NewDisposeScope();
        var act = () => F.margin_loss(rand(2, 3), tensor([0L, 3L]));
        act.Should().Throw<ArgumentException>().WithMessage("margin_loss expected target in [0, 2], for 3 capsules, but got values from 0 to 3.*");
    }

    [Fact]
    public void MarginLoss_PresenceOutsideZeroToOne_Throws()
    {
        using var scope = NewDisposeScope();
        var act = () => F.margin_loss(rand(1, 3), tensor([0L, 7L, 0L]).reshape(1, 3));
        act.Should().Throw<ArgumentException>().WithMessage("margin_loss expected target in [0, 1], where 1 is a class that is present, but got values from 0 to 7.*");
    }

    [Fact]
    public void MarginLoss_TargetOnAnotherDevice_ThrowsInWords()
    {
        using var scope = NewDisposeScope();
        var act = () => F.margin_loss(rand(2, 3), zeros([2], int64, device: META));
        act.Should().Throw<ArgumentException>().WithMessage("margin_loss expected target on cpu, as lengths, but got it on meta. Move one of them with .to(...).*");
    }

    [Theory]
    [InlineData(0.1, 0.9, 0.5)]
    [InlineData(1.1, 0.1, 0.5)]
    [InlineData(0.9, -0.1, 0.5)]
    [InlineData(0.9, 0.1, -0.5)]
    [InlineData(double.NaN, 0.1, 0.5)]
    [InlineData(0.9, 0.1, double.PositiveInfinity)]
    public void MarginLoss_ImpossibleMargins_Throws(double positive, double negative, double weight)
    {
        var act = () => new MarginLoss(positive, negative, weight);
        act.Should().Throw<ArgumentOutOfRangeException>();
    }
}
