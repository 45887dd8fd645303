using static Capsules.Arithmetic;
using static TorchSharp.torch;

namespace Capsules;

public static partial class Functional
{
    /// <summary>Squashes vectors to a length in [0, 1) and keeps their direction.</summary>
    /// <remarks>
    /// <para>v = |s|^2 / (1 + |s|^2) * s / |s|, computed as s * |s| / (1 + |s|^2), which is finite everywhere: squash(0) = 0,
    /// and its gradient there is 0, the limit. In float16 and bfloat16 the arithmetic is float32's. In float32 a length
    /// above 1.8e19 (float64: 1.3e154) overflows and gives NaN.</para>
    /// <para>Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, equation 1. https://arxiv.org/abs/1710.09829</para>
    /// </remarks>
    /// <param name="s">Vectors of any shape with a floating-point dtype, usually (B, J, E).</param>
    /// <param name="dim">The dimension that holds a vector's entries. Default: the last.</param>
    /// <param name="eps">
    /// Added to |s|^2 under the square root: 0, or at least 1.2e-38. Default: 0, the equation as printed. Other implementations use
    /// 1e-7 (CapsNet-Keras) or 1e-9 (CapsNet-Tensorflow); set it to reproduce their numbers.
    /// </param>
    /// <returns>Squashed vectors of the shape and dtype of <paramref name="s"/>.</returns>
    /// <exception cref="ArgumentException"><paramref name="s"/> is not floating-point or lacks <paramref name="dim"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="eps"/> is out of its range.</exception>
    public static Tensor squash(Tensor s, long dim = -1, double eps = 0)
    {
        CheckDim(nameof(squash), s, nameof(s), dim);
        CheckEps(eps);
        using var scope = NewDisposeScope();
        var x = Wide(s);
        var norm = eps == 0 ? Norm(x, dim, keepdim: true) : Plus(Square(x).sum(dim, keepdim: true), eps).sqrt();

        // n / (1 + n^2) with both parts divided by max(n, 1), a constant to the gradient: otherwise the derivative's
        // (1 + n^2)^2 leaves float32 at n = 1e9 and the gradient is wrong without a word.
        var scale = AtLeast(norm.detach(), 1);
        var scaled = norm / scale;
        var v = x * (scaled / Plus(norm * scaled, scale.reciprocal()));
        return v.to_type(s.dtype).MoveToOuterDisposeScope();
    }

    internal static void CheckEps(double eps)
    {
        const double SmallestNormalFloat32 = 1.17549435e-38;      // below, eps would vanish and the root's slope at 0 be infinite
        if (!(eps == 0 || (eps >= SmallestNormalFloat32 && double.IsFinite(eps))))
        {
            throw new ArgumentOutOfRangeException(nameof(eps), eps, "eps must be 0, or finite and at least 1.2e-38.");
        }
    }
}
