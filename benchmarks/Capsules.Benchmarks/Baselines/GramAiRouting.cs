using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>The sequence of gram-ai's capsule network, the most copied one for PyTorch.</summary>
/// <remarks>
/// Two differences, both in its favour or needed: the softmax runs over the output capsules (the original's runs over the
/// inputs, which is another function), and it runs along its axis directly, without the original's transposed copy.
/// Logits have all E columns, as in the original, although these are equal.
/// </remarks>
internal static class GramAiRouting
{
    /// <param name="u">Input capsules (B, N, D).</param>
    /// <param name="weight">(J, N, D, E), as the original stores it.</param>
    /// <param name="iterations">Routing iterations.</param>
    public static Tensor Route(Tensor u, Tensor weight, int iterations)
    {
        using var scope = NewDisposeScope();
        var priors = Priors(u, weight);
        var logits = zeros(priors.shape, device: u.device);
        for (var iteration = 1; ; iteration++)
        {
            using var outputs = PlainSquash.Apply(WeightedSum(priors, logits));
            if (iteration == iterations)
            {
                return outputs.squeeze(3).squeeze(2).transpose(0, 1).MoveToOuterDisposeScope();
            }

            using var spent = logits;
            logits = Updated(spent, priors, outputs);
        }
    }

    public static Tensor ToLayout(Tensor weight) => weight.transpose(0, 1);

    public static Tensor FromLayout(Tensor weight) => weight.transpose(0, 1);

    // (1, B, N, 1, D) @ (J, 1, N, D, E) = (J, B, N, 1, E).
    private static Tensor Priors(Tensor u, Tensor weight)
    {
        using var scope = NewDisposeScope();
        return matmul(u.unsqueeze(0).unsqueeze(3), weight.unsqueeze(1)).MoveToOuterDisposeScope();
    }

    private static Tensor WeightedSum(Tensor priors, Tensor logits)
    {
        using var scope = NewDisposeScope();
        var weighted = nn.functional.softmax(logits, dim: 0) * priors;
        return weighted.sum(2, keepdim: true).MoveToOuterDisposeScope();
    }

    private static Tensor Updated(Tensor logits, Tensor priors, Tensor outputs)
    {
        using var scope = NewDisposeScope();
        var delta = (priors * outputs).sum(-1, keepdim: true);
        return (logits + delta).MoveToOuterDisposeScope();
    }
}
