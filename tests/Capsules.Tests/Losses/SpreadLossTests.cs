using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Tests.Losses;

public class SpreadLossTests
{
    private static Tensor Example() => tensor([.6, .5, .1]).reshape(1, 3);

    [Theory]
    [InlineData(.2, .01)]
    [InlineData(.9, .80)]
    public void SpreadLoss_WorkedExample_GivesItsValues(double margin, double expected)
    {
        using var scope = NewDisposeScope();
        F.spread_loss(Example(), tensor([0L]), margin).item<double>().Should().BeApproximately(expected, 1e-12);
        new SpreadLoss(margin).call(Example(), tensor([0L])).item<double>().Should().BeApproximately(expected, 1e-12);
    }

    [Fact]
    public void SpreadLoss_TargetAheadByTheMargin_IsZero()
    {
        using var scope = NewDisposeScope();
        F.spread_loss(tensor([.2, .75, .25]).reshape(1, 3), tensor([1L]), .5).item<double>().Should().BeApproximately(0, 1e-12);
    }

    [Fact]
    public void SpreadLoss_Default_IsThePapersLastMarginAsAFunctionAndItsFirstAsAModule()
    {
        using var scope = NewDisposeScope();
        F.spread_loss(Example(), tensor([0L])).item<double>().Should().BeApproximately(.80, 1e-12);
        using var loss = new SpreadLoss();
        loss.Margin.Should().Be(.2);
        loss.Margin = .9;
        loss.call(Example(), tensor([0L])).item<double>().Should().BeApproximately(.80, 1e-12);
    }

    [Theory]
    [InlineData(0, .2)]
    [InlineData(.5, .55)]
    [InlineData(1, .9)]
    [InlineData(7, .9)]
    public void LinearMargin_Progress_RisesFromAFifthToNineTenths(double progress, double expected) =>
        SpreadLoss.LinearMargin(progress).Should().BeApproximately(expected, 1e-12);

    [Theory]
    [InlineData(0, 0.2142091)]            // 0.2 + 0.79 sigmoid(-4)
    [InlineData(200_000, 0.595)]          // 0.2 + 0.79 / 2
    [InlineData(700_000, 0.98996414)]     // 0.2 + 0.79 sigmoid(10), where it stays
    [InlineData(9_000_000, 0.98996414)]
    public void SigmoidMargin_Step_IsTheAuthorsSchedule(long step, double expected) =>
        SpreadLoss.SigmoidMargin(step).Should().BeApproximately(expected, 1e-7);

    [Fact]
    public void SpreadLoss_Reductions_AreMeanSumAndNone()
    {
        using var scope = NewDisposeScope();
        var (activations, target) = (rand([3, 4], float64), tensor([0L, 1L, 2L]));
        var each = F.spread_loss(activations, target, reduction: nn.Reduction.None);
        each.shape.Should().Equal(3);
        F.spread_loss(activations, target, reduction: nn.Reduction.Sum).ShouldBeClose(each.sum());
        F.spread_loss(activations, target).ShouldBeClose(each.mean());
    }

    [Fact]
    public void SpreadLoss_Activations_MatchFiniteDifferences()
    {
        using var scope = NewDisposeScope();
        var activations = rand([4, 5], float64).requires_grad_();
        GradientCheck.Verify(() => F.spread_loss(activations, tensor([0L, 4L, 2L, 2L]), .6), activations);
    }

    [Fact]
    public void SpreadLoss_HalfPrecision_KeepsItsDtypeAndComputesInFloat32()
    {
        using var scope = NewDisposeScope();
        var loss = F.spread_loss(Example().to(bfloat16), tensor([0L]), .9);
        loss.dtype.Should().Be(ScalarType.BFloat16);
        loss.to(float64).item<double>().Should().BeApproximately(.80, .01);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1.1)]
    [InlineData(double.NaN)]
    public void SpreadLoss_ImpossibleMargin_Throws(double margin)
    {
        using var scope = NewDisposeScope();
        ((Action)(() => F.spread_loss(Example(), tensor([0L]), margin))).Should().Throw<ArgumentOutOfRangeException>().WithMessage("margin must be above 0 and at most 1.*");
        ((Action)(() => new SpreadLoss(margin))).Should().Throw<ArgumentOutOfRangeException>();
        ((Action)(() => new SpreadLoss().Margin = margin)).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void Margins_BeforeTheStart_Throw()
    {
        ((Action)(() => SpreadLoss.LinearMargin(-.1))).Should().Throw<ArgumentOutOfRangeException>().WithMessage("progress must be at least 0.*");
        ((Action)(() => SpreadLoss.LinearMargin(double.NaN))).Should().Throw<ArgumentOutOfRangeException>();
        ((Action)(() => SpreadLoss.SigmoidMargin(-1))).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void SpreadLoss_WrongArguments_AreNamed()
    {
        using var scope = NewDisposeScope();
        ((Action)(() => F.spread_loss(zeros(2, 3, 4), tensor([0L, 1L])))).Should().Throw<ArgumentException>().WithMessage(
            "spread_loss expected activations of shape (B, J) = (*, *), but got (2, 3, 4). Give one number per capsule, as Functional.length(capsules).*");
        ((Action)(() => F.spread_loss(zeros(2, 3), tensor([0L])))).Should().Throw<ArgumentException>().WithMessage(
            "spread_loss expected target of shape (B) = (2), as activations (2, 3), but got (1). The target is one Int64 label a sample.*");
        ((Action)(() => F.spread_loss(zeros(2, 3), tensor([0L, 3L])))).Should().Throw<ArgumentException>().WithMessage(
            "spread_loss expected target in [0, 2], for 3 capsules, but got values from 0 to 3.*");
        ((Action)(() => F.spread_loss(zeros(2, 3), tensor([0, 1])))).Should().Throw<ArgumentException>().WithMessage(
            "spread_loss expected target of dtype Int64, but got Int32. Convert them with target.to(torch.int64).*");
    }
}
