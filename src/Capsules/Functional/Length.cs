using static TorchSharp.torch;

namespace Capsules;

public static partial class Functional
{
    /// <summary>The length (Euclidean norm) of every capsule, the probability that its entity is present.</summary>
    /// <remarks>
    /// <para>|v| = sqrt(sum_e v_e^2). The gradient is v / |v|, and 0 at the zero vector, where the plain square root would
    /// give NaN.</para>
    /// <para>Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, section 2. https://arxiv.org/abs/1710.09829</para>
    /// </remarks>
    /// <param name="capsules">Capsules of any shape with a floating-point dtype, usually (B, J, E).</param>
    /// <param name="dim">The dimension that holds a capsule's entries. Default: the last.</param>
    /// <param name="keepdim">Whether <paramref name="dim"/> stays as a dimension of size 1. Default: false.</param>
    /// <returns>Lengths, shaped as <paramref name="capsules"/> without <paramref name="dim"/>, in its dtype; at least 0.</returns>
    /// <exception cref="ArgumentException"><paramref name="capsules"/> is not floating-point or lacks <paramref name="dim"/>.</exception>
    public static Tensor length(Tensor capsules, long dim = -1, bool keepdim = false)
    {
        CheckDim(nameof(length), capsules, nameof(capsules), dim);
        using var scope = NewDisposeScope();
        return Norm(Wide(capsules), dim, keepdim).to_type(capsules.dtype).MoveToOuterDisposeScope();
    }

    // libtorch's norm has the subgradient 0 at the zero vector built in (norm_backward masks the division by zero). This overload
    // takes its exponent as a float; linalg.vector_norm makes a Scalar of it, which the collector may free while it is read.
    private static Tensor Norm(Tensor x, long dim, bool keepdim) => x.norm((int)dim, keepdim, 2f);
}
