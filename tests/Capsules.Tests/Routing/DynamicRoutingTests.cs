using static TorchSharp.torch;

namespace Capsules.Tests.Routing;

public class DynamicRoutingTests : RoutingContract
{
    internal override Capsules.Routing Make(long inDim, long outCapsules, long outDim) => new DynamicRouting();

    internal override bool IsLazy => true;

    [Theory]
    [InlineData(1, .36, 0, -.01746, .02619)]
    [InlineData(2, .40102, -.001151, -.016153, .02452)]
    [InlineData(3, .443575, -.00235, -.01464, .022471)]
    public void DynamicRouting_WorkedExample_GivesItsCapsules(int iterations, double a, double b, double c, double d)
    {
        using var scope = NewDisposeScope();
        var result = new DynamicRouting(iterations).Route(new GivenVotes(Examples.U2()));
        result.Capsules.ShouldBeClose(tensor([a, b, c, d]).reshape(1, 2, 2), 1e-5);
    }

    [Fact]
    public void DynamicRouting_WorkedExample_GivesItsCouplingCoefficients()
    {
        using var scope = NewDisposeScope();
        var result = new DynamicRouting(3).Route(new GivenVotes(Examples.U2()), coupling: true);
        result.Coupling!.ShouldBeClose(
            tensor(new double[,] { { .587867, .412133 }, { .570543, .429457 }, { .617836, .382164 } }).unsqueeze(0), 1e-6);
    }

    [Fact]
    public void DynamicRouting_CouplingNotAsked_IsNull()
    {
        using var scope = NewDisposeScope();
        new DynamicRouting(3).Route(new GivenVotes(Examples.U2())).Coupling.Should().BeNull();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    public void DynamicRouting_LogitsBiasLeaky_IsProcedureOneStepByStep(int iterations)
    {
        using var scope = NewDisposeScope();
        var (votes, bias) = (randn([2, 5, 3, 4], float64), randn([3, 4], float64));
        foreach (var leaky in new[] { false, true })
        {
            foreach (var logits in iterations == 0 ? [null] : new[] { null, randn([5, 3], float64), randn([2, 5, 3], float64) })
            {
                var result = new DynamicRouting(iterations, leaky).Route(new GivenVotes(votes), bias, logits, coupling: true);
                var (v, c) = PlainRouting.Run(votes, iterations, bias, logits, leaky);
                result.Capsules.ShouldBeClose(v, 1e-12, $"leaky {leaky}");
                result.Coupling!.ShouldBeClose(c, 1e-12, $"leaky {leaky}");
            }
        }
    }

    [Fact]
    public void DynamicRouting_Coupling_SumsToOneOverOutputCapsulesAndNotOverInputs()
    {
        using var scope = NewDisposeScope();
        var votes = randn([4, 6, 3, 5], float64);
        var c = new DynamicRouting(3).Route(new GivenVotes(votes), coupling: true).Coupling!;
        c.sum(dim: 2).ShouldBeClose(ones([4, 6], float64), 1e-12);
        c.sum(dim: 1).sub(1).abs().max().item<double>().Should().BeGreaterThan(0.1, "a softmax over the inputs would make these sums 1");
    }

    [Fact]
    public void DynamicRouting_LeakyCoupling_LeavesAShareForTheOrphanClass()
    {
        using var scope = NewDisposeScope();
        var c = new DynamicRouting(2, leaky: true).Route(new GivenVotes(randn([4, 6, 3, 5], float64)), coupling: true).Coupling!;
        c.sum(dim: 2).lt(1).all().item<bool>().Should().BeTrue();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void DynamicRouting_InitialCoupling_IsThatOfTheFirstIteration(bool leaky)
    {
        using var scope = NewDisposeScope();
        var routing = new DynamicRouting(1, leaky);
        var c = routing.Route(new GivenVotes(randn([2, 6, 3, 5], float64)), coupling: true).Coupling!;
        c.ShouldBeClose(ones([2, 6, 3], float64) * routing.InitialCoupling(3), 1e-12);
    }

    [Fact]
    public void DynamicRouting_CalledTwice_StartsItsLogitsAnew()
    {
        using var scope = NewDisposeScope();
        var (routing, votes) = (new DynamicRouting(3), new GivenVotes(Examples.U2()));
        var first = routing.Route(votes).Capsules.ToDoubles();
        routing.Route(votes).Capsules.ToDoubles().Should().Equal(first);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [InlineData(2, false)]
    [InlineData(3, true)]
    public void DynamicRouting_ThroughAllIterations_MatchesFiniteDifferences(int iterations, bool leaky)
    {
        using var scope = NewDisposeScope();
        var votes = randn([2, 4, 3, 2], float64).requires_grad_();
        var bias = randn([3, 2], float64).requires_grad_();
        var logits = randn([4, 3], float64).requires_grad_();
        var routing = new DynamicRouting(iterations, leaky);
        Tensor[] inputs = iterations == 0 ? [votes, bias] : [votes, bias, logits];
        GradientCheck.Verify(() => routing.Route(new GivenVotes(votes), bias, iterations == 0 ? null : logits).Capsules, inputs);
    }

    [Fact]
    public void DynamicRouting_ThroughLastIteration_IsTheGradientAtConstantCoupling()
    {
        using var scope = NewDisposeScope();
        var votes = randn([2, 4, 3, 2], float64).requires_grad_();
        var constant = new DynamicRouting(3).Route(new GivenVotes(votes), coupling: true).Coupling!.detach();
        var expected = Gradient(votes, Capsules.Functional.squash(einsum("bnj,bnje->bje", constant, votes)));

        var last = new DynamicRouting(3, gradient: RoutingGradient.LastIteration).Route(new GivenVotes(votes)).Capsules;
        var all = new DynamicRouting(3).Route(new GivenVotes(votes)).Capsules;
        last.ShouldBeClose(all, 1e-12, "the gradient mode must not change the value");
        Gradient(votes, last).ShouldBeClose(expected, 1e-12);
        (Gradient(votes, all) - expected).abs().max().item<double>().Should().BeGreaterThan(1e-3, "the two modes differ");
    }

    private static Tensor Gradient(Tensor input, Tensor output)
    {
        using var weights = arange(1, output.numel() + 1, float64).reshape(output.shape);
        return autograd.grad([(output * weights).sum()], [input])[0];
    }

    [Fact]
    public void DynamicRouting_HugeLogits_StaysFinite()
    {
        using var scope = NewDisposeScope();
        var votes = (randn([2, 4, 3, 2]) * 1e4).requires_grad_();
        var v = new DynamicRouting(3).Route(new GivenVotes(votes)).Capsules;
        v.sum().backward();
        v.ShouldBeFinite();
        votes.grad!.ShouldBeFinite();
    }

    [Fact]
    public void DynamicRouting_ZeroVotes_GivesZeroWithFiniteGradient()
    {
        using var scope = NewDisposeScope();
        var votes = zeros([2, 4, 3, 2]).requires_grad_();
        var v = new DynamicRouting(3).Route(new GivenVotes(votes)).Capsules;
        v.sum().backward();
        v.ToDoubles().Should().AllBeEquivalentTo(0.0);
        votes.grad!.ShouldBeFinite();
    }

    [Fact]
    public void DynamicRouting_MinusInfinityLogit_KeepsAnInputFromAnOutput()
    {
        using var scope = NewDisposeScope();
        var logits = zeros([3, 2], float64);
        logits[1, 0] = double.NegativeInfinity;
        var c = new DynamicRouting(3).Route(new GivenVotes(Examples.U2()), logits: logits, coupling: true).Coupling!;
        c[0, 1].ToDoubles().Should().Equal(0, 1);
    }

    [Fact]
    public void DynamicRouting_NegativeIterations_Throws() =>
        ((Action)(() => new DynamicRouting(-1))).Should().Throw<ArgumentOutOfRangeException>().WithMessage("iterations must be at least 0. The paper uses 3.*");

    [Fact]
    public void DynamicRouting_LogitsWithoutIterations_Throws()
    {
        using var scope = NewDisposeScope();
        var act = () => new DynamicRouting(0).Route(new GivenVotes(Examples.U2()), logits: zeros(3, 2));
        act.Should().Throw<ArgumentException>().WithMessage("DynamicRouting with 0 iterations couples uniformly and cannot use logits.*");
    }

    [Fact]
    public void DynamicRouting_WrongLogits_ThrowsWithBothShapes()
    {
        using var scope = NewDisposeScope();
        var act = () => new DynamicRouting().Route(new GivenVotes(Examples.U2()), logits: zeros(2, 3));
        act.Should().Throw<ArgumentException>().WithMessage("DynamicRouting expected logits of shape (N, J) = (3, 2), but got (2, 3). Logits may also be (B, N, J).*");
    }

    [Fact]
    public void DynamicRouting_Activations_AreRefusedInWords()
    {
        using var scope = NewDisposeScope();
        var act = () => new DynamicRouting().Route(new GivenVotes(Examples.U2()), activations: ones(1, 3));
        act.Should().Throw<NotSupportedException>().WithMessage("DynamicRouting does not use activations*");
    }
}
