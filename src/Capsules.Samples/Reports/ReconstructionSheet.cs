using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>
/// Images beside their reconstructions from the capsule of the predicted class: pairs side by side, framed green where the
/// prediction is right and red where it is wrong, with what it is.
/// </summary>
internal static class ReconstructionSheet
{
    private const int Columns = 8, Rows = 6;

    /// <summary>Draws the first images of each class in turn, so that every class shows.</summary>
    /// <exception cref="UserException">The file cannot be written.</exception>
    public static void Write(string path, ImageNetwork network, ImageSplit split, IReadOnlyList<string> classNames, Device device)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var mode = network.Evaluating();      // at the end of a run it is in training
        var (images, labels) = Batches.Take(split, FirstOfEachClass(split.Labels.data<long>().ToArray(), Columns * Rows), device);
        var output = network.call(images);
        var (classes, predicted) = (labels.cpu().data<long>().ToArray(), network.Scores(output).argmax(1).cpu().data<long>().ToArray());
        var zoom = ImagePanel.ZoomTo(56, new ImageShape(images.size(1), images.size(2), images.size(3)));
        var (originals, reconstructions) = (ImagePanel.Of(images, zoom), ImagePanel.Of(network.Reconstruct(output), zoom));

        var cells = classes.Select((label, i) => new Cell(StackPanel.Row(0, originals[i], reconstructions[i]),
            label == predicted[i] ? classNames[(int)label] : $"{classNames[(int)label]} read as {classNames[(int)predicted[i]]}",
            label == predicted[i] ? PictureColors.Right : PictureColors.Wrong));
        PngFile.Write(path, StackPanel.Titled(
            "Reconstructions", "Test images, each with its reconstruction from the capsule of the predicted class on the right.",
            new GridPanel([.. cells.Chunk(Columns)]),
            new LegendPanel((PictureColors.Right, "read right"), (PictureColors.Wrong, "read wrong"))));
    }

    /// <summary>The indices of the first images of each class in turn: one of each class, then the second of each, and so on.</summary>
    public static long[] FirstOfEachClass(long[] labels, int count)
    {
        var byClass = labels.Select((label, index) => (label, index: (long)index)).GroupBy(pair => pair.label)
            .OrderBy(group => group.Key).Select(group => group.Select(pair => pair.index).ToArray()).ToArray();
        return Enumerable.Range(0, labels.Length)
            .SelectMany(round => byClass.Where(indices => round < indices.Length).Select(indices => indices[round]))
            .Take(count).ToArray();
    }
}
