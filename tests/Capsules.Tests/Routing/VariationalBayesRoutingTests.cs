using static TorchSharp.torch;

namespace Capsules.Tests.Routing;

public class VariationalBayesRoutingTests : RoutingContract
{
    internal override Capsules.Routing Make(long inDim, long outCapsules, long outDim)
    {
        var routing = new VariationalBayesRouting(outCapsules, dtype: float64);
        routing.eval();      // in training mode samples share the batch's statistics
        return routing;
    }

    internal override bool IsLazy => false;

    private static VariationalBayesRouting Bare(int iterations) => new(2, iterations, batchNorm: false, dtype: float64);

    [Theory]
    [InlineData(1, new[] { .260976, -.004878, -.019512, .065854 })]
    [InlineData(2, new[] { .273939, -.005395, -.019508, .060649 })]
    [InlineData(3, new[] { .28793, -.005589, -.01803, .054896 })]
    public void VariationalBayesRouting_WorkedExample_GivesItsMeans(int iterations, double[] means)
    {
        using var scope = NewDisposeScope();
        var m = Bare(iterations).Route(new GivenVotes(Examples.U2()), activations: Examples.Activations()).Capsules;
        m.ShouldBeClose(tensor(means).reshape(1, 2, 2), 1e-5);
    }

    [Fact]
    public void VariationalBayesRouting_WorkedExample_GivesItsActivationsAndAssignments()
    {
        using var scope = NewDisposeScope();
        var a = Bare(1).Route(new GivenVotes(Examples.U2()), activations: Examples.Activations()).Activations!;
        a.logit().ShouldBeClose(tensor(new[,] { { -.856561, -.866507 } }), 1e-5, "before the sigmoid");
        var r = Bare(2).Route(new GivenVotes(Examples.U2()), activations: Examples.Activations(), coupling: true).Coupling!;
        r.ShouldBeClose(tensor(new[,] { { .561745, .438255 }, { .538136, .461864 }, { .550865, .449135 } }).unsqueeze(0), 1e-5);
    }

    [Fact]
    public void Digamma_AtOneAndAHalf_IsEulersConstant()
    {
        using var scope = NewDisposeScope();
        const double Euler = 0.57721566490153286;
        tensor(new[] { 1, 0.5 }).digamma().ShouldBeClose(tensor(new[] { -Euler, -Euler - 2 * Math.Log(2) }), 1e-12, "TorchSharp's binding is what the expectations rest on");
    }

    [Fact]
    public void VariationalBayesRouting_Training_NormalisesPosesAndActivationsOverTheBatch()
    {
        using var scope = NewDisposeScope();
        using var routing = new VariationalBayesRouting(3, dtype: float64);
        using var bare = new VariationalBayesRouting(3, batchNorm: false, dtype: float64);
        var votes = new GivenVotes(randn([8, 5, 3, 4], float64));
        var (poses, activations) = routing.Route(votes);
        var (plainPoses, plainActivations) = bare.Route(votes);
        var logits = plainActivations.logit();
        poses.ShouldBeClose((plainPoses - plainPoses.mean([0, 2], true)) / (plainPoses.var([0, 2], false, true) + 1e-5).sqrt(), 1e-9);
        activations.logit().ShouldBeClose((logits - logits.mean([0], true)) / (logits.var(0, false, true) + 1e-5).sqrt(), 1e-6);
        routing.state_dict()["pose_norm.running_mean"].ShouldBeClose(plainPoses.mean([0, 2]) * 0.1, 1e-9);
    }

    [Fact]
    public void VariationalBayesRouting_OneSampleInTraining_ThrowsWithTheWaysOut()
    {
        using var scope = NewDisposeScope();
        var act = () => new VariationalBayesRouting(2, dtype: float64).Route(new GivenVotes(Examples.U2()));
        act.Should().Throw<ArgumentException>().WithMessage(
            "VariationalBayesRouting normalises over the batch and cannot do so with one sample at one position in training mode. " +
            "Use a larger batch, call eval() on the layer, or make the routing with batchNorm: false.*");
    }

    [Fact]
    public void VariationalBayesRouting_OtherOutputs_ThrowsInWords()
    {
        using var scope = NewDisposeScope();
        var act = () => new VariationalBayesRouting(3, batchNorm: false, dtype: float64).Route(new GivenVotes(Examples.U2()));
        act.Should().Throw<ArgumentException>().WithMessage("VariationalBayesRouting was made for 3 output capsules, but the votes are for 2. Make it with the sizes of its layer.*");
    }

    [Theory]
    [InlineData(0, 3)]
    [InlineData(3, 0)]
    public void VariationalBayesRouting_ImpossibleNumbers_Throw(long outCapsules, int iterations) =>
        ((Action)(() => new VariationalBayesRouting(outCapsules, iterations))).Should().Throw<ArgumentOutOfRangeException>();
}
