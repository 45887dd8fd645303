using static Capsules.Arithmetic;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Capsules;

public static partial class Functional
{
    /// <summary>The weighted sum of squared differences between reconstructions and images.</summary>
    /// <remarks>
    /// <para>L = weight * sum over channels and pixels of (reconstruction - image)^2.</para>
    /// <para>Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, section 4.1: weight 0.0005, "so that it does
    /// not dominate the margin loss". The authors' code uses the same weight on a margin loss that is 1 / (2 J) of the
    /// paper's, so there the reconstruction weighs 20 times as much for 10 classes.</para>
    /// </remarks>
    /// <param name="reconstruction">Reconstructions (B, ...), usually (B, C, H, W).</param>
    /// <param name="image">Images of the same shape.</param>
    /// <param name="weight">The factor, at least 0. Default: 0.0005.</param>
    /// <param name="reduction">Over the batch: mean (default), sum, or none, which gives (B).</param>
    /// <returns>A scalar, or (B) without reduction.</returns>
    /// <exception cref="ArgumentException">The shapes differ or a dtype is not floating-point.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="weight"/> is negative.</exception>
    public static Tensor reconstruction_loss(
        Tensor reconstruction, Tensor image, double weight = 0.0005, Reduction reduction = Reduction.Mean)
    {
        CheckReconstructionWeight(weight);
        ShapeGuard.Floating(nameof(reconstruction_loss), reconstruction, nameof(reconstruction));
        ShapeGuard.Floating(nameof(reconstruction_loss), image, nameof(image));
        if (reconstruction.dim() < 1 || !reconstruction.shape.AsSpan().SequenceEqual(image.shape))
        {
            throw new ArgumentException(
                $"reconstruction_loss expected image of the shape of reconstruction, {ShapeGuard.Text(reconstruction.shape)}, " +
                $"but got {ShapeGuard.Text(image.shape)}. Give the decoder the image's (C, H, W) as its output shape.", nameof(image));
        }

        ShapeGuard.SameDevice(nameof(reconstruction_loss), image, nameof(image), reconstruction.device, nameof(reconstruction));
        using var scope = NewDisposeScope();
        var square = Square(Wide(reconstruction) - Wide(image));
        var loss = Times(square.dim() == 1 ? square : square.flatten(1).sum(dim: 1), weight);         // (B)
        return Reduce(loss, reduction).to_type(reconstruction.dtype).MoveToOuterDisposeScope();
    }

    internal static void CheckReconstructionWeight(double weight)
    {
        if (!(weight >= 0 && double.IsFinite(weight)))
        {
            throw new ArgumentOutOfRangeException(nameof(weight), weight, "weight must be finite and at least 0.");
        }
    }
}
