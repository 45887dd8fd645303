using System.Globalization;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>
/// Images, each reconstructed from the capsule of every class in turn: what the network would draw if the image were of that class.
/// </summary>
internal static class WrongMaskPicture
{
    /// <summary>Draws test images, a row each.</summary>
    public static Panel Of(Inspection inspection, IReadOnlyList<long> indices)
    {
        using var scope = NewDisposeScope();
        var names = inspection.Dataset.ClassNames;
        var (images, labels) = inspection.Take([.. indices]);
        var output = inspection.Network.call(images);
        var (classes, predicted) = (labels.cpu().data<long>().ToArray(), inspection.Network.Scores(output).argmax(1).cpu().data<long>().ToArray());
        var all = UnderEveryMask(inspection.Network, output, names.Count);
        var distances = all.sub(images.unsqueeze(1)).flatten(2).norm(2).cpu().data<float>().ToArray();
        var zoom = ImagePanel.ZoomTo(56, inspection.Checkpoint.Dataset.Image);
        var (inputs, reconstructions) = (ImagePanel.Of(images, zoom), ImagePanel.Of(all.flatten(0, 1), zoom));

        Cell[] Row(int row) =>
        [
            new(inputs[row], names[(int)classes[row]]),
            .. Enumerable.Range(0, names.Count).Select(column => new Cell(
                reconstructions[row * names.Count + column],
                distances[row * names.Count + column].ToString("f1", CultureInfo.InvariantCulture),
                column == classes[row] ? PictureColors.Right : column == predicted[row] ? PictureColors.Wrong : null)),
        ];
        return StackPanel.Titled(
            "Reconstruction by the capsule of every class",
            $"{inspection.Subject}, test images with their labels. Below each reconstruction: its distance from the input, the root of the " +
            "sum of squares.",
            new GridPanel([.. Enumerable.Range(0, indices.Count).Select(Row)], columnHeads: ["input", .. names]),
            new LegendPanel((PictureColors.Right, "the label's capsule"), (PictureColors.Wrong, "the capsule of a wrong prediction")));
    }

    /// <summary>Reconstructions (B, J, C, H, W) of class capsules (B, J, E), each from the capsule of one class.</summary>
    public static Tensor UnderEveryMask(ImageNetwork network, Tensor capsules, int classes)
    {
        using var scope = NewDisposeScope();
        var reconstructions = Enumerable.Range(0, classes)
            .Select(j => network.Reconstruct(capsules, Arithmetic.Filled([capsules.size(0)], j, ScalarType.Int64, capsules.device)));
        return stack([.. reconstructions], 1).MoveToOuterDisposeScope();
    }
}
