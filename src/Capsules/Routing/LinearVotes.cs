using static TorchSharp.torch;

namespace Capsules;

/// <summary>Votes of capsules through transformation matrices, u_hat_ij = u_i W_ij, never built unless asked for.</summary>
public sealed class LinearVotes : TransformedVotes
{
    /// <summary>Makes the votes of <paramref name="input"/> through <paramref name="weight"/>.</summary>
    /// <param name="input">Input capsules u (B, N, D).</param>
    /// <param name="weight">
    /// Transformation matrices W (G, J, D, E). G is N, or divides N: then N / G consecutive input capsules share their matrices.
    /// </param>
    /// <param name="mask">Which input capsules are there: Bool (B, N); null (default) for all.</param>
    /// <exception cref="ArgumentException">The shapes, dtypes or devices do not fit each other.</exception>
    public LinearVotes(Tensor input, Tensor weight, Tensor? mask = null) : base(CapsuleKind.Vector, input, weight, mask)
    {
    }
}
