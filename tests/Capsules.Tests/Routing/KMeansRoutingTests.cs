using static TorchSharp.torch;

namespace Capsules.Tests.Routing;

public class KMeansRoutingTests : RoutingContract
{
    internal override Capsules.Routing Make(long inDim, long outCapsules, long outDim) => new KMeansRouting();

    internal override bool IsLazy => true;

    // Similarities as their definitions read, over built votes.
    private static Tensor Similar(CapsuleSimilarity similarity, Tensor x, Tensor y) => similarity switch
    {
        CapsuleSimilarity.Dot => (x * y).sum(-1) / y.norm(-1),
        CapsuleSimilarity.Cosine => (x * y).sum(-1) / (x.norm(-1) * y.norm(-1)),
        CapsuleSimilarity.Tanimoto => (x * y).sum(-1) / (x.square().sum(-1) + y.square().sum(-1) - (x * y).sum(-1)),
        _ => ((x - x.mean([-1], true)) * (y - y.mean([-1], true))).sum(-1) / ((x - x.mean([-1], true)).norm(-1) * (y - y.mean([-1], true)).norm(-1)),
    };

    [Theory]
    [InlineData(CapsuleSimilarity.Dot, 1)]
    [InlineData(CapsuleSimilarity.Dot, 3)]
    [InlineData(CapsuleSimilarity.Cosine, 3)]
    [InlineData(CapsuleSimilarity.Tanimoto, 3)]
    [InlineData(CapsuleSimilarity.Pearson, 3)]
    public void KMeansRouting_EverySimilarity_IsTheProcedureStepByStep(CapsuleSimilarity similarity, int iterations)
    {
        using var scope = NewDisposeScope();
        var (votes, bias) = (randn([2, 5, 3, 4], float64), randn([3, 4], float64));
        var s = votes.sum(1) / 3;
        var c = zeros([2, 5, 3], float64);
        for (var t = 0; t < iterations; t++)
        {
            c = nn.functional.softmax(Similar(similarity, votes, s.unsqueeze(1).expand(votes.shape)), dim: 2);
            s = (c.unsqueeze(-1) * votes).sum(1) + bias;
        }

        var result = new KMeansRouting(iterations, similarity).Route(new GivenVotes(votes), bias, coupling: true);
        result.Capsules.ShouldBeClose(Capsules.Functional.squash(s), 1e-12);
        result.Coupling!.ShouldBeClose(c, 1e-12);
    }

    [Theory]
    [InlineData(CapsuleSimilarity.Cosine)]
    [InlineData(CapsuleSimilarity.Tanimoto)]
    [InlineData(CapsuleSimilarity.Pearson)]
    public void KMeansRouting_OtherSimilarities_MatchFiniteDifferences(CapsuleSimilarity similarity)
    {
        using var scope = NewDisposeScope();
        var votes = randn([2, 4, 3, 3], float64).requires_grad_();
        GradientCheck.Verify(() => new KMeansRouting(2, similarity).Route(new GivenVotes(votes)).Capsules, votes);
    }

    [Theory]
    [InlineData(CapsuleSimilarity.Dot)]
    [InlineData(CapsuleSimilarity.Cosine)]
    [InlineData(CapsuleSimilarity.Tanimoto)]
    [InlineData(CapsuleSimilarity.Pearson)]
    public void KMeansRouting_ZeroAndHugeVotes_StayFinite(CapsuleSimilarity similarity)
    {
        using var scope = NewDisposeScope();
        foreach (var scale in new[] { 0, 1e4 })
        {
            var votes = (randn([2, 4, 3, 3]) * scale).detach().requires_grad_();
            var v = new KMeansRouting(3, similarity).Route(new GivenVotes(votes)).Capsules;
            v.sum().backward();
            v.ShouldBeFinite();
            votes.grad!.ShouldBeFinite();
        }
    }

    [Fact]
    public void KMeansRouting_NoIterations_Throws() => ((Action)(() => new KMeansRouting(0))).Should().Throw<ArgumentOutOfRangeException>();
}
