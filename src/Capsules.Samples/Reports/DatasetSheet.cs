using SkiaSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>A picture of a dataset's images, to see with one's own eyes what a network is trained on.</summary>
internal static class DatasetSheet
{
    public const int Columns = 10, RowsOfEach = 3;

    private const int Gap = 6;

    /// <summary>
    /// Draws the first images to train on and below them the first to test on, row by row. Of pairs the image stands beside its two
    /// objects in red and green.
    /// </summary>
    /// <returns>The labels of the images, in the order of the places where they stand.</returns>
    /// <exception cref="UserException">The file cannot be written.</exception>
    public static IReadOnlyList<long[]> Write(string path, ImageDataset dataset)
    {
        var (channels, height, width) = ((int)dataset.Channels, (int)dataset.Height, (int)dataset.Width);
        var zoom = Math.Max(1, 96 / Math.Max(height, width));
        var cell = new SKSizeI(width * zoom * (dataset.Train.Objects > 1 ? 2 : 1), height * zoom);
        using var surface = SKSurface.Create(new SKImageInfo(Gap + Columns * (cell.Width + Gap), Gap + 2 * RowsOfEach * (cell.Height + Gap)));
        surface.Canvas.Clear(SKColors.White);
        var labels = new List<long[]>();
        foreach (var (split, firstRow) in ((ImageSplit, int)[])[(dataset.Train, 0), (dataset.Test, RowsOfEach)])
        {
            labels.AddRange(Draw(split, firstRow));
        }

        using var picture = surface.Snapshot();
        using var png = picture.Encode(SKEncodedImageFormat.Png, 100);
        AtomicFile.Write(path, stream => png.SaveTo(stream));
        return labels;

        IEnumerable<long[]> Draw(ImageSplit split, int firstRow)
        {
            using var scope = NewDisposeScope();
            var count = (int)Math.Min(Columns * RowsOfEach, split.Count * split.Variations);
            var batch = split.Take([.. Enumerable.Range(0, count).Select(i => (long)i)]);
            var (images, parts, plane) = (Bytes(batch.Images), batch.Parts is null ? [] : Bytes(batch.Parts), height * width);
            for (var i = 0; i < count; i++)
            {
                var (x, y) = (Gap + i % Columns * (cell.Width + Gap), Gap + (firstRow + i / Columns) * (cell.Height + Gap));
                var first = i * channels * plane;

                // Grey and stereo images show their first channel, colour images all three.
                DrawImage(x, y, pixel => channels < 3
                    ? new SKColor(images[first + pixel], images[first + pixel], images[first + pixel])
                    : new SKColor(images[first + pixel], images[first + plane + pixel], images[first + 2 * plane + pixel]));
                if (parts.Length > 0)
                {
                    var pair = i * split.Objects * plane;
                    DrawImage(x + width * zoom, y, pixel => new SKColor(parts[pair + pixel], parts[pair + plane + pixel], 0));
                }
            }

            return batch.Labels.data<long>().ToArray().Chunk(split.Objects);
        }

        void DrawImage(int x, int y, Func<int, SKColor> colorOf)
        {
            using var bitmap = new SKBitmap(width, height);
            for (var pixel = 0; pixel < height * width; pixel++)
            {
                bitmap.SetPixel(pixel % width, pixel / width, colorOf(pixel));
            }

            using var image = SKImage.FromBitmap(bitmap);
            surface.Canvas.DrawImage(image, new SKRect(x, y, x + width * zoom, y + height * zoom), SKSamplingOptions.Default);
        }
    }

    private static byte[] Bytes(Tensor images) => images.contiguous().data<byte>().ToArray();
}
