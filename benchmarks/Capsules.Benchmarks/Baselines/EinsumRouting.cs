using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>One einsum per line of the paper's procedure, as readable_capsnet writes it: the usual good implementation.</summary>
internal static class EinsumRouting
{
    /// <param name="u">Input capsules (B, N, D).</param>
    /// <param name="weight">(N, D, J, E), as the original stores it.</param>
    /// <param name="iterations">Routing iterations.</param>
    public static Tensor Route(Tensor u, Tensor weight, int iterations)
    {
        using var scope = NewDisposeScope();
        var votes = einsum("bnd,ndje->bnje", u, weight);
        var logits = zeros(u.size(0), u.size(1), weight.size(2), device: u.device);
        for (var iteration = 1; ; iteration++)
        {
            // What Python frees when a name is bound again is disposed here, so that no baseline holds more than its original.
            using var c = nn.functional.softmax(logits, dim: -1);
            using var s = einsum("bnj,bnje->bje", c, votes);
            var v = PlainSquash.Apply(s);
            if (iteration == iterations)
            {
                return v.MoveToOuterDisposeScope();
            }

            using var agreement = einsum("bnje,bje->bnj", votes, v);
            using var spent = logits;
            logits = spent + agreement;
        }
    }

    public static Tensor ToLayout(Tensor weight) => weight.permute(0, 2, 1, 3);

    public static Tensor FromLayout(Tensor weight) => weight.permute(0, 2, 1, 3);
}
