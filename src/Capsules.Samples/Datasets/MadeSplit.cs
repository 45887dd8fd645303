using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Images made of stored grey ones, each from its address alone, so that any of them can be made again anywhere.</summary>
/// <param name="Images">Stored images (N, 1, H, W), uint8.</param>
/// <param name="Labels">Their classes (N).</param>
internal abstract record MadeSplit(Tensor Images, Tensor Labels) : ImageSplit(Images, Labels)
{
    /// <summary>The classes of the stored images.</summary>
    protected long[] Classes { get; } = Labels.data<long>().ToArray();

    /// <summary>Makes the images, one for each object.</summary>
    /// <param name="address">Where it stands.</param>
    /// <param name="target">Receives <see cref="ImageSplit.Objects"/> images, one after the other; zero when it is called.</param>
    /// <param name="labels">Receives their labels.</param>
    protected abstract void Make(long address, Span<byte> target, Span<long> labels);

    public override ImageBatch Take(ReadOnlySpan<long> addresses)
    {
        var (count, shape) = (addresses.Length, Shape);
        var pixels = (int)(shape.Height * shape.Width);
        var (made, labels) = (new byte[count * Objects * pixels], new long[count * Objects]);
        for (var i = 0; i < count; i++)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)addresses[i], (ulong)(Count * Variations), nameof(addresses));
            Make(addresses[i], made.AsSpan(i * Objects * pixels, Objects * pixels), labels.AsSpan(i * Objects, Objects));
        }

        if (Objects == 1)
        {
            return new ImageBatch(tensor(made, [count, 1, shape.Height, shape.Width], dtype: ScalarType.Byte), tensor(labels));
        }

        return new ImageBatch(
            tensor(Together(made, pixels), [count, 1, shape.Height, shape.Width], dtype: ScalarType.Byte),
            tensor(labels, [count, Objects]),
            tensor(made, [count, Objects, 1, shape.Height, shape.Width], dtype: ScalarType.Byte));
    }

    /// <summary>The pixels of a stored image.</summary>
    protected ReadOnlySpan<byte> Stored(long image)
    {
        var size = (int)(Images.size(2) * Images.size(3));
        return Images.bytes.Slice(checked((int)(image * size)), size);
    }

    // Light on light stays light: sums are cut at full brightness, as in the 2017 authors' code.
    private byte[] Together(byte[] parts, int pixels)
    {
        var whole = new byte[parts.Length / Objects];
        for (var i = 0; i < whole.Length; i++)
        {
            var sum = 0;
            for (var part = 0; part < Objects; part++)
            {
                sum += parts[(i / pixels * Objects + part) * pixels + i % pixels];
            }

            whole[i] = (byte)Math.Min(sum, 255);
        }

        return whole;
    }

    /// <summary>Copies an image into a larger or smaller one; what falls outside is left out.</summary>
    protected static void Paste(ReadOnlySpan<byte> image, int size, Span<byte> target, int targetSize, int top, int left)
    {
        var (first, last) = (Math.Max(0, -left), Math.Min(size, targetSize - left));
        for (var row = Math.Max(0, -top); row < Math.Min(size, targetSize - top); row++)
        {
            image[(row * size + first)..(row * size + last)].CopyTo(target[((row + top) * targetSize + first + left)..]);
        }
    }
}
