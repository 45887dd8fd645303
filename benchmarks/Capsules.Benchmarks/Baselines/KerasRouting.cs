using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>The sequence of CapsNet-Keras: votes sample by sample (its map_fn), then batched products.</summary>
internal static class KerasRouting
{
    /// <summary>The original's epsilon under the square root of its squash.</summary>
    private const double Epsilon = 1e-7;

    /// <param name="u">Input capsules (B, N, D).</param>
    /// <param name="weight">(J, N, E, D), as the original stores it.</param>
    /// <param name="iterations">Routing iterations.</param>
    public static Tensor Route(Tensor u, Tensor weight, int iterations)
    {
        using var scope = NewDisposeScope();
        var votes = Votes(u, weight);
        var logits = zeros(u.size(0), weight.size(0), u.size(1), device: u.device);
        for (var iteration = 1; ; iteration++)
        {
            using var c = nn.functional.softmax(logits, dim: 1);
            using var row = c.unsqueeze(2);
            using var s = matmul(row, votes);           // B * J products (1, N) (N, E)
            using var flat = s.squeeze(2);
            var v = PlainSquash.Apply(flat, Epsilon);
            if (iteration == iterations)
            {
                return v.MoveToOuterDisposeScope();
            }

            using var column = v.unsqueeze(-1);
            using var agreement = matmul(votes, column);
            using var spent = logits;
            logits = spent + agreement.squeeze(-1);
        }
    }

    public static Tensor ToLayout(Tensor weight) => weight.permute(1, 0, 3, 2);

    public static Tensor FromLayout(Tensor weight) => weight.permute(1, 0, 3, 2);

    // (B, J, N, E). The original tiles its input over J first; a broadcast view is the same without the copies.
    private static Tensor Votes(Tensor u, Tensor weight)
    {
        using var scope = NewDisposeScope();
        var columns = u.unsqueeze(1).unsqueeze(-1).unbind(0);
        var samples = new List<Tensor>();
        foreach (var column in columns)
        {
            using var votes = matmul(weight, column);   // (J, N, E, D) (1, N, D, 1)
            samples.Add(votes.squeeze(-1));
        }

        return stack(samples).MoveToOuterDisposeScope();
    }
}
