using static TorchSharp.torch;

namespace Capsules;

/// <summary>Votes of matrix capsules: a pose M_i times a transformation matrix W_ij, never built unless asked for.</summary>
/// <remarks>
/// <para>Poses are P x P, and travel as rows of E = P * P entries, row after row. V_ij = M_i W_ij transforms every row of the pose
/// by the same P x P matrix, so a vote has P * P weights where <see cref="LinearVotes"/> has D * E.</para>
/// <para>Hinton, Sabour, Frosst, "Matrix capsules with EM routing", 2018, section 2. https://openreview.net/forum?id=HJWLfGWRb</para>
/// </remarks>
public sealed class MatrixVotes : TransformedVotes
{
    /// <summary>Makes the votes of <paramref name="input"/> through <paramref name="weight"/>.</summary>
    /// <param name="input">Poses M (B, N, P * P).</param>
    /// <param name="weight">
    /// Transformation matrices W (G, J, P, P). G is N, or divides N: then N / G consecutive input capsules share their matrices.
    /// </param>
    /// <param name="mask">Which input capsules are there: Bool (B, N); null (default) for all.</param>
    /// <exception cref="ArgumentException">The shapes, dtypes or devices do not fit each other.</exception>
    public MatrixVotes(Tensor input, Tensor weight, Tensor? mask = null) : base(CapsuleKind.Matrix, input, weight, mask)
    {
    }
}
