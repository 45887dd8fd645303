using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Wrongly classified images, each with the probabilities of the classes.</summary>
internal static class MistakesPicture
{
    private const int MostBars = 10, Columns = 4;

    /// <summary>Draws mistakes in the order given.</summary>
    public static Panel Of(Inspection inspection, Predictions predictions, IReadOnlyList<int> mistakes)
    {
        using var scope = NewDisposeScope();
        var names = inspection.Dataset.ClassNames;
        var (images, _) = inspection.Take([.. mistakes.Select(image => (long)image)]);
        var panels = ImagePanel.Of(images, ImagePanel.ZoomTo(112, inspection.Checkpoint.Dataset.Image));
        var cells = mistakes.Select((image, i) => new Cell(
            StackPanel.Row(10, panels[i], Bars(names, predictions.Probabilities[image], (int)predictions.Labels[image])),
            $"test image {image}: {names[(int)predictions.Labels[image]]} read as {names[predictions.Predicted(image)]}"));
        return StackPanel.Titled(
            "The most confident mistakes",
            $"{inspection.Subject}: {predictions.Mistakes.Count} of {RunReport.Count(predictions.Count)} test images are read wrong. " +
            $"Bars: {(inspection.Network is ClassCapsules ? "the lengths of the class capsules" : "the probabilities of the classes")}.",
            new GridPanel([.. cells.Chunk(Columns)], gap: 20),
            new LegendPanel((PictureColors.Right, "the label"), (PictureColors.Wrong, "the prediction"), (PictureColors.Neutral, "other classes")));
    }

    /// <summary>Bars of class probabilities; of many classes those with the largest, and the label's.</summary>
    public static BarsPanel Bars(IReadOnlyList<string> names, float[] probabilities, int label)
    {
        var ranked = Enumerable.Range(0, names.Count).OrderByDescending(j => probabilities[j]).ToArray();
        var shown = ranked.Take(MostBars).ToList();
        if (!shown.Contains(label))
        {
            shown[^1] = label;
        }

        return new BarsPanel([.. shown.Order().Select(j => (names[j], probabilities[j],
            j == label ? PictureColors.Right : j == ranked[0] ? PictureColors.Wrong : PictureColors.Neutral))]);
    }
}
