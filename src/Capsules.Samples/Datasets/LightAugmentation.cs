using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Changes brightness and contrast, as the 2017 authors' code does with smallNORB and CIFAR-10.</summary>
internal static class LightAugmentation
{
    private const double MostBrightness = 63.0 / 255, LeastContrast = 0.2, MostContrast = 1.8;

    /// <summary>Adds a brightness to every image, then stretches it about the mean of each of its channels.</summary>
    /// <remarks>
    /// out = clamp(m + k (x + b - m), 0, 1), with m the mean of x + b over a channel, b uniform in +-63/255 and k uniform in [0.2, 1.8], both
    /// one for an image. The authors' code (Sarasra/models, research/capsules) has the same ranges on pixels of 255; there no value is
    /// cut, and each image is standardised afterwards. Here networks and decoders expect [0, 1].
    /// </remarks>
    /// <param name="images">Of shape (B, C, H, W), floating-point, in [0, 1].</param>
    /// <param name="seed">The only source of randomness: the same seed gives the same images.</param>
    /// <returns>A new tensor of the shape of <paramref name="images"/>, in [0, 1].</returns>
    public static Tensor Apply(Tensor images, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(images);
        if (images.dim() != 4 || !images.is_floating_point())
        {
            throw new ArgumentException(
                $"LightAugmentation expected floating-point images of shape (B, C, H, W), but got {images.dtype} " +
                $"({string.Join(", ", images.shape)}).", nameof(images));
        }

        using var scope = NewDisposeScope();
        var random = new DeterministicRandom(seed);
        var (brightness, contrast) = (new float[images.size(0)], new float[images.size(0)]);
        for (var i = 0; i < brightness.Length; i++)
        {
            brightness[i] = (float)(MostBrightness * (2 * random.NextDouble() - 1));
            contrast[i] = (float)(LeastContrast + (MostContrast - LeastContrast) * random.NextDouble());
        }

        var lit = Arithmetic.Plus(images, PerImage(brightness));
        var mean = lit.mean([2, 3], keepdim: true);                                                              // (B, C, 1, 1)
        return Arithmetic.Clamp(Arithmetic.Plus(mean, PerImage(contrast) * (lit - mean)), 0, 1).MoveToOuterDisposeScope();

        Tensor PerImage(float[] values) => tensor(values, [values.Length, 1, 1, 1], device: images.device).to(images.dtype);
    }
}
