using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Moves each image by a few whole pixels, as the paper does with its training images.</summary>
internal static class ShiftAugmentation
{
    /// <summary>Shifts every image by its own random number of rows and columns; what comes in from outside is zero.</summary>
    /// <remarks>
    /// out[b, c, y, x] = images[b, c, y - dy_b, x - dx_b], with dy_b and dx_b uniform over the integers from -maxShift to maxShift.
    /// Sabour, Frosst, Hinton, 2017, section 5: "shifted by up to 2 pixels in each direction with zero padding".
    /// </remarks>
    /// <param name="images">Of shape (B, C, H, W), any dtype and device.</param>
    /// <param name="maxShift">Pixels, at least 0. The paper uses 2.</param>
    /// <param name="seed">The only source of randomness: the same seed gives the same shifts.</param>
    /// <returns>A new tensor of the shape of <paramref name="images"/>.</returns>
    public static Tensor Shift(Tensor images, int maxShift, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(images);
        ArgumentOutOfRangeException.ThrowIfNegative(maxShift);
        if (images.dim() != 4)
        {
            throw new ArgumentException(
                $"ShiftAugmentation expected images of shape (B, C, H, W), but got ({string.Join(", ", images.shape)}).", nameof(images));
        }

        if (maxShift == 0 || images.numel() == 0)
        {
            return images.alias();
        }

        using var scope = NewDisposeScope();
        var (batch, channels, height, width) = (images.size(0), images.size(1), images.size(2), images.size(3));
        var paddedWidth = width + 2 * maxShift;
        var padded = nn.functional.pad(images, [maxShift, maxShift, maxShift, maxShift]); // (B, C, H + 2m, W + 2m)

        // The window of each image starts at row m - dy and column m - dx of the padded one.
        var starts = new long[batch];
        var random = new DeterministicRandom(seed);
        for (var image = 0; image < starts.Length; image++)
        {
            var firstRow = random.NextInt32(2 * maxShift + 1);
            var firstColumn = random.NextInt32(2 * maxShift + 1);
            starts[image] = firstRow * paddedWidth + firstColumn;
        }

        var rows = Arithmetic.Times(Arithmetic.Indices(height, images.device).unsqueeze(1), paddedWidth); // (H, 1)
        var window = Arithmetic.Plus(rows, Arithmetic.Indices(width, images.device)).view(1, 1, -1); // (1, 1, HW)
        var index = Arithmetic.Plus(window, tensor(starts, device: images.device).view(-1, 1, 1)); // (B, 1, HW)
        return padded.flatten(2).gather(2, index.expand(batch, channels, height * width)) // (B, C, HW)
            .view(batch, channels, height, width).MoveToOuterDisposeScope();
    }
}
