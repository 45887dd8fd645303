using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>The sequence of the 2017 authors' own code: inputs tiled to (B, N, D, J * E), multiplied, summed over D.</summary>
/// <remarks>
/// Left out in its favour: the logits' update after the last iteration, which nobody reads, and the bias. Transpositions are
/// views here, copies in TensorFlow. The tiles are real, as they are there.
/// </remarks>
internal static class TiledRouting
{
    /// <param name="u">Input capsules (B, N, D).</param>
    /// <param name="weight">(N, D, J, E); the original stores the same memory as (N, D, J * E).</param>
    /// <param name="iterations">Routing iterations.</param>
    public static Tensor Route(Tensor u, Tensor weight, int iterations)
    {
        using var scope = NewDisposeScope();
        var votes = Votes(u, weight);
        var transposed = votes.permute(3, 0, 1, 2);     // (E, B, N, J), to multiply by (B, N, J)
        var logits = zeros(u.size(0), u.size(1), weight.size(2), device: u.device);
        for (var iteration = 1; ; iteration++)
        {
            using var s = WeightedSum(transposed, logits);
            var v = PlainSquash.Apply(s);
            if (iteration == iterations)
            {
                return v.MoveToOuterDisposeScope();
            }

            using var agreement = Agreement(votes, v);
            using var spent = logits;
            logits = spent + agreement;
        }
    }

    public static Tensor ToLayout(Tensor weight) => weight.permute(0, 2, 1, 3);

    public static Tensor FromLayout(Tensor weight) => weight.permute(0, 2, 1, 3);

    private static Tensor Votes(Tensor u, Tensor weight)
    {
        using var scope = NewDisposeScope();
        var (outCapsules, outDim) = (weight.size(2), weight.size(3));
        var tiled = u.unsqueeze(-1).repeat(1, 1, 1, outCapsules * outDim);
        var product = tiled * weight.reshape(weight.size(0), weight.size(1), outCapsules * outDim);
        tiled.Dispose();
        return product.sum(2).reshape(u.size(0), u.size(1), outCapsules, outDim).MoveToOuterDisposeScope();
    }

    private static Tensor WeightedSum(Tensor transposed, Tensor logits)
    {
        using var scope = NewDisposeScope();
        var route = nn.functional.softmax(logits, dim: 2);
        var weighted = (route * transposed).permute(1, 2, 3, 0);
        return weighted.sum(1).MoveToOuterDisposeScope();
    }

    private static Tensor Agreement(Tensor votes, Tensor v)
    {
        using var scope = NewDisposeScope();
        var tiled = v.unsqueeze(1).repeat(1, votes.size(1), 1, 1);
        return (votes * tiled).sum(3).MoveToOuterDisposeScope();
    }
}
