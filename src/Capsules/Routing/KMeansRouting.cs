using static TorchSharp.torch;

namespace Capsules;

/// <summary>Routing as soft k-means: output capsules are cluster centres, and votes go to the centres that they are alike to.</summary>
/// <remarks>
/// <para>s_j = sum_i u_hat_ij / J; repeat: c_i = softmax over output capsules j of similarity(u_hat_ij, s_j);
/// s_j = sum_i c_ij u_hat_ij + bias_j; at last v_j = squash(s_j). Unlike in <see cref="DynamicRouting"/>, logits are not
/// accumulated, and centres are not squashed in between.</para>
/// <para>With <see cref="CapsuleSimilarity.Dot"/> votes are never built; the other similarities need each vote's length.</para>
/// <para>leftthomas/CapsuleLayer (package capsule-layer), k_means_routing, which has no paper. Zhang et al., "Fast Dynamic Routing
/// Based on Weighted Kernel Density Estimation", 2018, derive routing from clustering. https://arxiv.org/abs/1805.10807</para>
/// </remarks>
public sealed class KMeansRouting : Routing
{
    // Below this a length counts as 0, as in torch's cosine similarity.
    private const double Least = 1e-8;

    /// <summary>Makes the algorithm.</summary>
    /// <param name="iterations">Routing iterations, at least 1. Default: 3.</param>
    /// <param name="similarity">How alike votes and centres are. Default: the scalar product.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="iterations"/> is less than 1.</exception>
    public KMeansRouting(int iterations = 3, CapsuleSimilarity similarity = CapsuleSimilarity.Dot) : base(nameof(KMeansRouting))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(iterations, 1);
        (Iterations, Similarity) = (iterations, similarity);
    }

    /// <summary>Routing iterations.</summary>
    public int Iterations { get; }

    /// <summary>How alike votes and centres are.</summary>
    public CapsuleSimilarity Similarity { get; }

    /// <inheritdoc/>
    public override RoutingInputs Uses => RoutingInputs.Bias;

    /// <inheritdoc/>
    public override RoutingResult Route(
        Votes votes, Tensor? bias = null, Tensor? logits = null, Tensor? activations = null, bool coupling = false)
    {
        CheckArguments(votes, bias, logits, activations);
        using var scope = NewDisposeScope();
        var similarity = Measure(votes);
        var s = Arithmetic.Times(votes.Sum(), 1.0 / votes.OutCapsules);
        Tensor? c = null;
        for (var t = 0; t < Iterations; t++)
        {
            c = nn.functional.softmax(similarity(s), dim: -1);
            s = votes.WeightedSum(c);
            s = Biased(s, bias);
        }

        return new RoutingResult(Functional.squash(s), coupling: coupling ? votes.Present(c!) : null).MoveToOuterDisposeScope();
    }

    // What does not change with the centres is computed once.
    private Func<Tensor, Tensor> Measure(Votes votes)
    {
        if (Similarity == CapsuleSimilarity.Dot)
        {
            return centres => votes.Agreement(centres / Arithmetic.AtLeast(Functional.length(centres, keepdim: true), Least));
        }

        var x = votes.Materialize();
        if (Similarity == CapsuleSimilarity.Pearson)
        {
            x = Centred(x);
        }

        var built = new GivenVotes(x);
        var lengths = Functional.length(x);
        if (Similarity == CapsuleSimilarity.Tanimoto)
        {
            return centres =>
            {
                var dot = built.Agreement(centres);
                var squares = Arithmetic.Plus(Arithmetic.Square(lengths), Arithmetic.Square(centres).sum(-1).unsqueeze(1));
                return dot / Arithmetic.AtLeast(squares - dot, Least);
            };
        }

        return centres =>
        {
            var y = Similarity == CapsuleSimilarity.Pearson ? Centred(centres) : centres;
            return built.Agreement(y) / Arithmetic.AtLeast(lengths, Least) / Arithmetic.AtLeast(Functional.length(y), Least).unsqueeze(1);
        };
    }

    private static Tensor Centred(Tensor x) => x - x.mean([-1], keepdim: true);
}
