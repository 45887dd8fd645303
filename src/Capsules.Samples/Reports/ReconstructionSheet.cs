using SkiaSharp;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>
/// A picture of test images beside their reconstructions from the capsule of the predicted class: pairs side by side, framed green where the
/// prediction is right and red where it is wrong.
/// </summary>
internal static class ReconstructionSheet
{
    private const int Columns = 8, Rows = 6, Zoom = 2, Gap = 8, Frame = 2;

    /// <summary>Draws the first images of each class in turn, so that every class shows.</summary>
    /// <exception cref="UserException">The file cannot be written.</exception>
    public static void Write(string path, ImageNetwork network, ImageSplit split, Device device)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var (images, labels) = Batches.Take(split, FirstOfEachClass(split.Labels.data<long>().ToArray(), Columns * Rows), device);
        var output = network.call(images);
        var right = network.Scores(output).argmax(1).eq(labels).cpu().data<bool>().ToArray();
        var (originals, reconstructions) = (Bytes(images), Bytes(network.Reconstruct(output)));

        var (channels, height, width) = ((int)images.size(1), (int)images.size(2), (int)images.size(3));
        var (pairWidth, pairHeight) = (2 * width * Zoom + 2 * Frame, height * Zoom + 2 * Frame);
        using var surface = SKSurface.Create(new SKImageInfo(Gap + Columns * (pairWidth + Gap), Gap + Rows * (pairHeight + Gap)));
        surface.Canvas.Clear(SKColors.White);
        for (var i = 0; i < right.Length; i++)
        {
            var (x, y) = (Gap + i % Columns * (pairWidth + Gap), Gap + i / Columns * (pairHeight + Gap));
            using var frame = new SKPaint { Color = right[i] ? new SKColor(0x2e, 0x9e, 0x44) : new SKColor(0xd0, 0x21, 0x2a) };
            surface.Canvas.DrawRect(x, y, pairWidth, pairHeight, frame);
            Draw(surface.Canvas, originals, i, channels, height, width, x + Frame, y + Frame);
            Draw(surface.Canvas, reconstructions, i, channels, height, width, x + Frame + width * Zoom, y + Frame);
        }

        using var picture = surface.Snapshot();
        using var png = picture.Encode(SKEncodedImageFormat.Png, 100);
        AtomicFile.Write(path, stream => png.SaveTo(stream));
    }

    private static long[] FirstOfEachClass(long[] labels, int count)
    {
        var byClass = labels.Select((label, index) => (label, index: (long)index)).GroupBy(pair => pair.label)
            .OrderBy(group => group.Key).Select(group => group.Select(pair => pair.index).ToArray()).ToArray();
        return Enumerable.Range(0, labels.Length)
            .SelectMany(round => byClass.Where(indices => round < indices.Length).Select(indices => indices[round]))
            .Take(count).ToArray();
    }

    private static byte[] Bytes(Tensor images)
    {
        using var scope = NewDisposeScope();
        return images.mul(255).round().clamp(0, 255).to(uint8).cpu().contiguous().data<byte>().ToArray();
    }

    // Grey images show their one channel, colour images their first three.
    private static void Draw(SKCanvas canvas, byte[] images, int index, int channels, int height, int width, int x, int y)
    {
        using var bitmap = new SKBitmap(width, height);
        var plane = height * width;
        for (var pixel = 0; pixel < plane; pixel++)
        {
            byte At(int channel) => images[((index * channels) + Math.Min(channel, channels - 1)) * plane + pixel];
            bitmap.SetPixel(pixel % width, pixel / width, channels < 3 ? new SKColor(At(0), At(0), At(0)) : new SKColor(At(0), At(1), At(2)));
        }

        using var image = SKImage.FromBitmap(bitmap);
        canvas.DrawImage(image, new SKRect(x, y, x + width * Zoom, y + height * Zoom), SKSamplingOptions.Default);
    }
}
