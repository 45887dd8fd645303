using static Capsules.Arithmetic;
using static TorchSharp.torch;

namespace Capsules;

public static partial class Functional
{
    /// <summary>Squashes vectors to a length in [0, 1) by an exponential: Efficient-CapsNet's squash.</summary>
    /// <remarks>
    /// <para>v = (1 - exp(-|s|)) * s / |s|. Unlike <see cref="squash"/> it leaves short vectors as they are: its slope at zero is 1
    /// where that of the 2017 squash is 0. exponential_squash(0) = 0, and its gradient there is the identity, the limit; the
    /// authors' code has a division by zero in it. In float16 and bfloat16 the arithmetic is float32's. In float32 a length above
    /// 1.8e19 (float64: 1.3e154) overflows and gives the zero vector.</para>
    /// <para>Mazzia, Salvetti, Chiaberge, "Efficient-CapsNet: Capsule Network with Self-Attention Routing", 2021.
    /// https://arxiv.org/abs/2101.12491</para>
    /// </remarks>
    /// <param name="s">Vectors of any shape with a floating-point dtype, usually (B, J, E).</param>
    /// <param name="dim">The dimension that holds a vector's entries. Default: the last.</param>
    /// <returns>Squashed vectors of the shape and dtype of <paramref name="s"/>.</returns>
    /// <exception cref="ArgumentException"><paramref name="s"/> is not floating-point or lacks <paramref name="dim"/>.</exception>
    public static Tensor exponential_squash(Tensor s, long dim = -1)
    {
        CheckDim(nameof(exponential_squash), s, nameof(s), dim);
        using var scope = NewDisposeScope();
        var x = Wide(s);

        // (1 - exp(-n)) / n, held at its value of n = 1e-16 below that: this is 1 to the last bit of float64, and to the gradient
        // a constant, which leaves the identity.
        var norm = AtLeast(Norm(x, dim, keepdim: true), 1e-16);
        var scale = norm.neg().expm1().neg() / norm;
        return (x * scale).to_type(s.dtype).MoveToOuterDisposeScope();
    }
}
