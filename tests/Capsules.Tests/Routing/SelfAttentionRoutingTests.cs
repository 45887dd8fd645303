using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Tests.Routing;

public class SelfAttentionRoutingTests : RoutingContract
{
    // Without a prior, which fits one number of capsules alone; tests of its own have it.
    internal override Capsules.Routing Make(long inDim, long outCapsules, long outDim) => new SelfAttentionRouting();

    internal override bool IsLazy => true;

    [Fact]
    public void SelfAttentionRouting_WorkedExample_GivesItsCapsulesAndCoupling()
    {
        using var scope = NewDisposeScope();
        var result = new SelfAttentionRouting().Route(new GivenVotes(Examples.U2()), coupling: true);
        result.Capsules.ShouldBeClose(tensor(new double[,] { { .609932, -.005956 }, { -.084658, .138677 } }).unsqueeze(0), 1e-6);
        result.Coupling!.ShouldBeClose(
            tensor(new double[,] { { .604503, .395497 }, { .584048, .415952 }, { .675987, .324013 } }).unsqueeze(0), 1e-6);
        new SelfAttentionRouting().Route(new GivenVotes(Examples.U2())).Coupling.Should().BeNull();
    }

    // The published form: a Gram matrix (N, N) of every output capsule, summed over one side; the prior after the softmax.
    [Fact]
    public void SelfAttentionRouting_PriorBiasLogits_IsThePublishedFormWithGramMatrices()
    {
        using var scope = NewDisposeScope();
        var (votes, bias, logits) = (randn([2, 5, 3, 4], float64), randn([3, 4], float64), randn([5, 3], float64));
        var routing = WithRandomPrior(5, 3);
        var result = routing.Route(new GivenVotes(votes), bias, logits, coupling: true);

        var gram = einsum("bije,bkje->bikj", votes, votes);
        var c = nn.functional.softmax(gram.sum(dim: 2) / Math.Sqrt(4) + logits, dim: 2) + routing.get_parameter("prior")!;
        var s = (c.unsqueeze(-1) * votes).sum(dim: 1) + bias;
        result.Coupling!.ShouldBeClose(c, 1e-12);
        result.Capsules.ShouldBeClose((1 - (-F.length(s, keepdim: true)).exp()) * s / F.length(s, keepdim: true), 1e-12);
    }

    [Fact]
    public void SelfAttentionRouting_CouplingWithoutPrior_SumsToOneOverOutputCapsulesAndNotOverInputs()
    {
        using var scope = NewDisposeScope();
        var c = new SelfAttentionRouting().Route(new GivenVotes(randn([4, 6, 3, 5], float64)), coupling: true).Coupling!;
        c.sum(dim: 2).ShouldBeClose(ones([4, 6], float64), 1e-12);
        c.sum(dim: 1).sub(1).abs().max().item<double>().Should().BeGreaterThan(0.1, "a softmax over the inputs would make these sums 1");
    }

    [Fact]
    public void SelfAttentionRouting_LazyVotes_GiveWhatGivenVotesGive()
    {
        using var scope = NewDisposeScope();
        var lazy = new LinearVotes(randn([3, 6, 4], float64), randn([6, 3, 4, 5], float64));
        var routing = WithRandomPrior(6, 3);
        routing.Route(lazy).Capsules.ShouldBeClose(routing.Route(new GivenVotes(lazy.Materialize())).Capsules, 1e-12);
    }

    [Fact]
    public void SelfAttentionRouting_ZeroCapsule_TakesPartInNothingButThePrior()
    {
        using var scope = NewDisposeScope();
        var votes = randn([2, 6, 3, 4], float64);
        var padded = cat([votes, zeros([2, 2, 3, 4], float64)], dim: 1);
        var routing = new SelfAttentionRouting();
        routing.Route(new GivenVotes(padded)).Capsules.ShouldBeClose(routing.Route(new GivenVotes(votes)).Capsules, 1e-12);
    }

    [Fact]
    public void SelfAttentionRouting_VotesPriorBiasLogits_MatchFiniteDifferences()
    {
        using var scope = NewDisposeScope();
        var votes = randn([2, 4, 3, 2], float64).requires_grad_();
        var bias = randn([3, 2], float64).requires_grad_();
        var logits = randn([4, 3], float64).requires_grad_();
        var routing = WithRandomPrior(4, 3);
        GradientCheck.Verify(() => routing.Route(new GivenVotes(votes), bias, logits).Capsules, [votes, bias, logits, .. routing.parameters()]);
    }

    [Fact]
    public void SelfAttentionRouting_InALayer_SavesAndTrainsItsPrior()
    {
        using var scope = NewDisposeScope();
        using var layer = new CapsuleLayer(16, 8, 10, 16, new SelfAttentionRouting(16, 10));
        layer.state_dict().Keys.Should().Equal("weight", "routing.prior");
        layer.parameters().Sum(p => p.numel()).Should().Be(20_480 + 160, "Efficient-CapsNet's digit capsules");
        layer.state_dict()["routing.prior"].ToDoubles().Should().AllBeEquivalentTo(0.0);
        layer.call(randn(2, 16, 8)).square().sum().backward();
        layer.parameters().Should().OnlyContain(p => p.grad!.abs().sum().item<float>() > 0);
    }

    [Fact]
    public void SelfAttentionRouting_PriorOfOtherSizes_SaysWithWhichToMakeIt()
    {
        using var scope = NewDisposeScope();
        var act = () => new SelfAttentionRouting(4, 2, dtype: float64).Route(new GivenVotes(Examples.U2()));
        act.Should().Throw<ArgumentException>().WithMessage(
            "SelfAttentionRouting has a prior (N, J) = (4, 2), but the votes are of 3 input and 2 output capsules. Make it with inCapsules: 3, outCapsules: 2.*");
    }

    [Fact]
    public void SelfAttentionRouting_PriorOfAnotherDtype_SaysHowToConvertIt()
    {
        using var scope = NewDisposeScope();
        var act = () => new SelfAttentionRouting(3, 2).Route(new GivenVotes(Examples.U2()));
        act.Should().Throw<ArgumentException>().WithMessage("SelfAttentionRouting computes in Float64, as the votes, but prior is Float32. *");
    }

    [Theory]
    [InlineData(0, 1, "inCapsules")]
    [InlineData(1, 0, "outCapsules")]
    public void SelfAttentionRouting_SizeBelowOne_Throws(long n, long j, string name) =>
        ((Action)(() => new SelfAttentionRouting(n, j))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName(name);

    private static SelfAttentionRouting WithRandomPrior(long n, long j)
    {
        var routing = new SelfAttentionRouting(n, j, dtype: float64);
        using var noGrad = no_grad();
        routing.get_parameter("prior")!.normal_();
        return routing;
    }
}
