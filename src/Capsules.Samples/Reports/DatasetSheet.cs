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
        using var scope = NewDisposeScope();
        var zoom = Math.Max(1, 96 / (int)Math.Max(dataset.Shape.Height, dataset.Shape.Width));
        var (rows, labels) = (new List<Cell[]>(), new List<long[]>());
        foreach (var split in (ImageSplit[])[dataset.Train, dataset.Test])
        {
            var count = Math.Min(Columns * RowsOfEach, split.Count * split.Variations);
            var batch = Batches.Take(split, Batches.InOrder(count), CPU);
            rows.AddRange(Cells(batch, zoom).Chunk(Columns));
            labels.AddRange(batch.Labels.data<long>().ToArray().Chunk(split.Objects));
        }

        PngFile.Write(path, new GridPanel(rows, gap: Gap), margin: Gap);
        return labels;
    }

    private static IEnumerable<Cell> Cells(ImageBatch batch, int zoom)
    {
        var images = ImagePanel.Of(batch.Images, zoom);
        if (batch.Parts is null)
        {
            return images.Select(image => new Cell(image));
        }

        var (red, green) = (batch.Parts.select(1, 0), batch.Parts.select(1, 1));      // (B, 1, H, W) each
        var objects = ImagePanel.Of(cat([red, green, zeros_like(red)], 1), zoom);
        return images.Zip(objects, (image, pair) => new Cell(StackPanel.Row(0, image, pair)));
    }
}
