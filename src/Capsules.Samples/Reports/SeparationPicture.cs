using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>
/// Images of two overlapping objects above their reconstructions, each object by its own capsule and in its own colour: red the first,
/// green the second, yellow where both are.
/// </summary>
/// <remarks>
/// <para>Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, figure 5: L are the labels, R the classes that the
/// reconstruction is made from, P the predicted ones where they are wrong, and * marks a reconstruction from a class that is neither.</para>
/// </remarks>
internal static class SeparationPicture
{
    /// <summary>Draws test images of two objects each.</summary>
    /// <param name="inspection">The network and its images, whose labels are pairs.</param>
    /// <param name="right">Indices of images of which both objects are read right.</param>
    /// <param name="wrong">Indices of images that are read wrong.</param>
    public static Panel Of(Inspection inspection, IReadOnlyList<long> right, IReadOnlyList<long> wrong)
    {
        using var scope = NewDisposeScope();
        var parts = new List<Panel>();
        if (right.Count > 0)
        {
            parts.Add(Part(inspection, "Both read right", right, ["by the labels"], (labels, _) => [labels]));
            parts.Add(Part(inspection, "* The second class is not there", right, ["by a label and\na class that is\nnot there"],
                (labels, predicted) => [[labels[0], Absent(labels, predicted, inspection.Dataset.Classes)]], mark: "*"));
        }

        if (wrong.Count > 0)
        {
            parts.Add(Part(inspection, "Read wrong", wrong, ["by the labels", "by the\npredictions"], (labels, predicted) => [labels, predicted]));
        }

        return StackPanel.Titled(
            "Overlapping objects, separated",
            $"{inspection.Subject}, test images. L: the labels. R: the classes from whose capsules the reconstruction is made. P: a wrong prediction.",
            [
                .. parts,
                new LegendPanel((new(0xff, 0, 0), "the first object"), (new(0, 0xff, 0), "the second"), (new(0xff, 0xff, 0), "both")),
            ]);
    }

    /// <summary>The two predicted classes of a batch's output, (B, 2), in ascending order.</summary>
    public static Tensor PredictedPairs(ImageNetwork network, Tensor output)
    {
        using var scope = NewDisposeScope();
        return network.Scores(output).topk(2, dim: 1).indexes.sort(dim: 1).Values.MoveToOuterDisposeScope();
    }

    /// <summary>Two grey images (B, H, W) in one, (B, 3, H, W): the first red, the second green.</summary>
    public static Tensor Overlay(Tensor first, Tensor second)
    {
        using var scope = NewDisposeScope();
        return stack([first, second, zeros_like(first)], 1).MoveToOuterDisposeScope();
    }

    /// <summary>The first class that is neither label nor prediction.</summary>
    public static long Absent(long[] labels, long[] predicted, int classes) =>
        Enumerable.Range(0, classes).Select(j => (long)j).Except(labels).Except(predicted).FirstOrDefault();

    // A row of inputs, one of the objects in them where they are known, and one for each pair of classes that is reconstructed from.
    private static StackPanel Part(
        Inspection inspection, string title, IReadOnlyList<long> indices, string[] rowHeads, Func<long[], long[], long[][]> pairsOf,
        string mark = "")
    {
        var (images, labels, parts) = inspection.Take([.. indices]);
        var network = inspection.Network;
        var output = network.call(images);
        var (l, p) = (Pairs(labels), Pairs(PredictedPairs(network, output)));
        var zoom = ImagePanel.ZoomTo(84, inspection.Checkpoint.Dataset.Image);
        var chosen = l.Select((pair, i) => pairsOf(pair, p[i])).ToArray();
        var rows = new List<Cell[]> { ImagePanel.Of(images, zoom).Select(panel => new Cell(panel)).ToArray() };
        var heads = new List<string> { "input" };
        if (parts is not null)
        {
            heads.Add("its objects");
            var truth = Overlay(parts.select(1, 0).mean([1]), parts.select(1, 1).mean([1]));
            rows.Add([.. ImagePanel.Of(truth, zoom).Select(panel => new Cell(panel))]);
        }

        for (var row = 0; row < rowHeads.Length; row++)
        {
            var first = Reconstruct(network, output, [.. chosen.Select(pairs => pairs[row][0])]);
            var second = Reconstruct(network, output, [.. chosen.Select(pairs => pairs[row][1])]);
            rows.Add([.. ImagePanel.Of(Overlay(first, second), zoom).Select((panel, i) => new Cell(
                panel, Caption(inspection.Dataset.ClassNames, mark, chosen[i][row], l[i], p[i]),
                IsRight(l[i], p[i]) ? PictureColors.Right : PictureColors.Wrong))]);
        }

        return StackPanel.Column(6, new TextPanel(title, bold: true), new GridPanel(rows, rowHeads: [.. heads, .. rowHeads]));
    }

    private static Tensor Reconstruct(ImageNetwork network, Tensor output, long[] classes) =>
        network.Reconstruct(output, tensor(classes, device: output.device)).mean([1]);

    private static string Caption(IReadOnlyList<string> names, string mark, long[] r, long[] l, long[] p)
    {
        string Text(long[] pair) => $"({names[(int)pair[0]]}, {names[(int)pair[1]]})";
        return $"{mark}R: {Text(r)}\nL: {Text(l)}{(IsRight(l, p) ? "" : $"\nP: {Text(p)}")}";
    }

    /// <summary>Whether both objects are read right.</summary>
    public static bool IsRight(long[] labels, long[] predicted) => labels.Order().SequenceEqual(predicted.Order());

    /// <summary>Pairs (B, 2) as arrays.</summary>
    public static long[][] Pairs(Tensor pairs) => [.. pairs.cpu().contiguous().data<long>().ToArray().Chunk(2)];
}
