using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>
/// Inputs above their reconstructions, in two parts: images that are read right, and images that are read wrong with the
/// reconstructions by the label's capsule and by the predicted class's.
/// </summary>
/// <remarks>
/// <para>Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, figure 3: (l, p, r) is the label, the prediction, and the
/// class whose capsule the reconstruction is made from.</para>
/// </remarks>
internal static class ReconstructionPicture
{
    /// <summary>Draws test images.</summary>
    /// <param name="inspection">The network and its images.</param>
    /// <param name="right">Indices of images that are read right.</param>
    /// <param name="wrong">Indices and predicted classes of images that are read wrong.</param>
    public static Panel Of(Inspection inspection, IReadOnlyList<long> right, IReadOnlyList<(long Index, long Predicted)> wrong)
    {
        using var scope = NewDisposeScope();
        var parts = new List<Panel>();
        if (right.Count > 0)
        {
            parts.Add(Part($"Read right: {right.Count} images", ["input", "reconstruction"], RightRows(inspection, right)));
        }

        if (wrong.Count > 0)
        {
            parts.Add(Part($"Read wrong: {wrong.Count} images", ["input", "by the label's\ncapsule", "by the predicted\nclass's capsule"],
                WrongRows(inspection, wrong)));
        }

        return StackPanel.Titled(
            "Reconstructions",
            $"{inspection.Subject}, test images. (l, p, r): label l, prediction p, reconstructed from the capsule of class r.",
            [.. parts, new LegendPanel((PictureColors.Right, "p = l, read right"), (PictureColors.Wrong, "p ≠ l, read wrong"))]);
    }

    private static Cell[][] RightRows(Inspection inspection, IReadOnlyList<long> indices)
    {
        var (images, labels) = inspection.Take([.. indices]);
        var names = Names(inspection, labels);
        var (inputs, outputs) = (Panels(images), Panels(inspection.Network.Reconstruct(inspection.Network.call(images), labels)));
        return
        [
            [.. inputs.Select(panel => new Cell(panel))],
            [.. outputs.Select((panel, i) => new Cell(panel, Triple(names[i], names[i], names[i]), PictureColors.Right))],
        ];
    }

    private static Cell[][] WrongRows(Inspection inspection, IReadOnlyList<(long Index, long Predicted)> mistakes)
    {
        var (images, labels) = inspection.Take([.. mistakes.Select(mistake => mistake.Index)]);
        var predicted = tensor(mistakes.Select(mistake => mistake.Predicted).ToArray(), device: inspection.Device);
        var (l, p) = (Names(inspection, labels), Names(inspection, predicted));
        var output = inspection.Network.call(images);
        var byLabel = Panels(inspection.Network.Reconstruct(output, labels));
        var byPrediction = Panels(inspection.Network.Reconstruct(output, predicted));
        return
        [
            [.. Panels(images).Select(panel => new Cell(panel))],
            [.. byLabel.Select((panel, i) => new Cell(panel, Triple(l[i], p[i], l[i]), PictureColors.Wrong))],
            [.. byPrediction.Select((panel, i) => new Cell(panel, Triple(l[i], p[i], p[i]), PictureColors.Wrong))],
        ];
    }

    private static StackPanel Part(string title, string[] rowHeads, Cell[][] rows) =>
        StackPanel.Column(6, new TextPanel(title, bold: true), new GridPanel(rows, rowHeads: rowHeads));

    private static ImagePanel[] Panels(Tensor images) =>
        ImagePanel.Of(images, ImagePanel.ZoomTo(84, new ImageShape(1, images.size(2), images.size(3))));

    private static string[] Names(Inspection inspection, Tensor classes) =>
        [.. classes.cpu().data<long>().ToArray().Select(label => inspection.Dataset.ClassNames[(int)label])];

    // Long names get a line each.
    private static string Triple(string l, string p, string r) =>
        l.Length + p.Length + r.Length <= 9 ? $"({l}, {p}, {r})" : $"l {l}\np {p}\nr {r}";
}
