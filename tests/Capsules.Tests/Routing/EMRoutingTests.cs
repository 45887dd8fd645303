using static TorchSharp.torch;

namespace Capsules.Tests.Routing;

public class EMRoutingTests : RoutingContract
{
    internal override Capsules.Routing Make(long inDim, long outCapsules, long outDim) => new EMRouting(outCapsules, dtype: float64);

    internal override bool IsLazy => false;

    [Theory]
    [InlineData(1, new[] { .509524, -.009524, -.038095, .128571 }, new[] { .50068, .50037 })]
    [InlineData(2, new[] { .510909, -.010909, -.082293, .067258 }, new[] { .502424, .500129 })]
    [InlineData(3, new[] { .514505, -.014505, -.149748, .083673 }, new[] { .503522, .50023 })]
    public void EMRouting_WorkedExample_GivesItsCapsules(int iterations, double[] means, double[] activations)
    {
        using var scope = NewDisposeScope();
        var (mu, a) = new EMRouting(2, iterations, dtype: float64).Route(new GivenVotes(Examples.U2()), activations: Examples.Activations());
        mu.ShouldBeClose(tensor(means).reshape(1, 2, 2), 1e-5);
        a.ShouldBeClose(tensor(activations).reshape(1, 2), 1e-5);
    }

    [Fact]
    public void EMRouting_WorkedExample_GivesItsAssignments()
    {
        using var scope = NewDisposeScope();
        var r = new EMRouting(2, 2, dtype: float64).Route(new GivenVotes(Examples.U2()), activations: Examples.Activations(), coupling: true).Coupling!;
        r.ShouldBeClose(tensor(new[,] { { .94424, .05576 }, { .848093, .151907 }, { .90278, .09722 } }).unsqueeze(0), 1e-5);
    }

    // The paper's procedure with densities and sums as they are printed, for sizes at which no product leaves float64.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void EMRouting_BetasAndCostNormalisation_IsProcedureOneStepByStep(bool normalize)
    {
        using var scope = NewDisposeScope();
        using var routing = new EMRouting(3, 3, finalLambda: 0.2, normalizeCost: normalize, dtype: float64);
        var (betaU, betaA) = (randn([3], float64), randn([3], float64));
        routing.load_state_dict(new Dictionary<string, Tensor> { ["beta_u"] = betaU, ["beta_a"] = betaA });
        var (v, ai) = (randn([2, 7, 3, 4], float64), rand([2, 7], float64));
        var r = ones([2, 7, 3], float64) / 3;
        Tensor mean = v, a = ai;
        for (var t = 0; t < 3; t++)
        {
            var weights = (r * ai.unsqueeze(-1)).unsqueeze(-1);
            var total = weights.sum(1);
            mean = (weights * v).sum(1) / total;
            var variance = (weights * (v - mean.unsqueeze(1)).square()).sum(1) / total;
            var cost = ((betaU.unsqueeze(-1) + variance.sqrt().log()) * total).sum(-1) * (normalize ? 100.0 / (7.0 / 3.0) : 1);
            a = (0.2 * (1 - Math.Pow(0.95, t + 1)) * (betaA - cost)).sigmoid();
            var p = ((v - mean.unsqueeze(1)).square() / (-2 * variance.unsqueeze(1))).exp() / (2 * Math.PI * variance.unsqueeze(1)).sqrt();
            var joint = a.unsqueeze(1) * p.prod(3);
            r = joint / joint.sum(2, keepdim: true);
        }

        var (poses, activations) = routing.Route(new GivenVotes(v), activations: ai);
        poses.ShouldBeClose(mean, 1e-7);      // 1e-9 stands guard in divisions
        activations.ShouldBeClose(a, 1e-7);
    }

    [Fact]
    public void EMRouting_NormalizedCostWithAbsentCapsules_IsAsIfTheyWereRemoved()
    {
        using var scope = NewDisposeScope();
        using var routing = new EMRouting(3, normalizeCost: true, dtype: float64);
        var (v, mask) = (randn([2, 6, 3, 4], float64), tensor(new[,] { { true, true, false, false, true, false }, { false, false, false, false, false, false } }));
        var masked = routing.Route(new GivenVotes(v, mask));
        var removed = routing.Route(new GivenVotes(v.narrow(0, 0, 1).index_select(1, tensor([0L, 1, 4]))));
        masked.Activations!.narrow(0, 0, 1).ShouldBeClose(removed.Activations!, 1e-12);
        masked.Activations![1].ToDoubles().Should().OnlyContain(a => a == 0.5, "nobody is there, and beta_a is 0");
    }

    [Fact]
    public void EMRouting_SixteenEntriesFarApart_StaysFiniteWhereTheProductOfDensitiesVanishes()
    {
        using var scope = NewDisposeScope();
        var v = (randn(2, 20, 3, 16) * 50).requires_grad_();
        var result = new EMRouting(3).Route(new GivenVotes(v), coupling: true);
        (result.Capsules.sum() + result.Activations!.sum()).backward();
        result.Coupling!.sum(2).ShouldBeClose(ones(2, 20), 1e-5);
        v.grad!.ShouldBeFinite();
    }

    // The mean is then within a float32's last places of that vote, and the gradient is made of what is left.
    [Theory]
    [InlineData(1e-3)]
    [InlineData(1e-6)]
    public void EMRouting_OneVoteWithNearlyAllTheWeight_HasFloat64sGradientInFloat32(double rest)
    {
        using var scope = NewDisposeScope();
        var (votes, weights) = (randn(2, 2, 3, 4), tensor([1f, (float)rest]).expand(2, 2));
        var (actual, expected) = (Gradient(float32), Gradient(float64));
        var error = (actual.to(float64) - expected).abs().max() / expected.abs().max();
        error.item<double>().Should().BeLessThan(1e-5);

        Tensor Gradient(ScalarType dtype)
        {
            using var routing = new EMRouting(3, iterations: 1, finalLambda: 1, dtype: dtype);
            var v = votes.to(dtype).detach().requires_grad_();
            routing.Route(new GivenVotes(v), activations: weights.to(dtype)).Activations!.square().sum().backward();
            return v.grad!;
        }
    }

    [Fact]
    public void EMRouting_State_IsOneBetaOfEachPerOutputType()
    {
        using var routing = new EMRouting(5);
        routing.state_dict().ToDictionary(p => p.Key, p => p.Value.shape).Should().BeEquivalentTo(
            new Dictionary<string, long[]> { ["beta_u"] = [5], ["beta_a"] = [5] });
    }

    [Fact]
    public void EMRouting_OtherOutputs_ThrowsInWords()
    {
        using var scope = NewDisposeScope();
        var act = () => new EMRouting(3, dtype: float64).Route(new GivenVotes(Examples.U2()));
        act.Should().Throw<ArgumentException>().WithMessage("EMRouting was made for 3 output capsules, but the votes are for 2. Make it with the sizes of its layer.*");
    }

    [Fact]
    public void EMRouting_ImpossibleLambda_Throws() =>
        ((Action)(() => new EMRouting(3, finalLambda: 0))).Should().Throw<ArgumentOutOfRangeException>().WithMessage("finalLambda must be finite and above 0. The authors used 0.01.*");

    [Theory]
    [InlineData(0, 3)]
    [InlineData(3, 0)]
    public void EMRouting_ImpossibleNumbers_Throw(long outCapsules, int iterations) =>
        ((Action)(() => new EMRouting(outCapsules, iterations))).Should().Throw<ArgumentOutOfRangeException>();
}
