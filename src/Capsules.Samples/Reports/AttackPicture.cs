using System.Globalization;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Images under attacks of growing strength, with what the network reads and how it reconstructs.</summary>
internal static class AttackPicture
{
    private const int Examples = 8;

    /// <summary>Draws the first test images of each class, a row for each epsilon, the first of which is 0.</summary>
    public static Panel Of(Inspection inspection, string method, IReadOnlyList<AttackResult> results, AttackOptions options)
    {
        using var scope = NewDisposeScope();
        var indices = ReconstructionSheet.FirstOfEachClass(inspection.Dataset.Test.Labels.data<long>().ToArray(), Examples);
        var (images, labels) = inspection.Take(indices);
        var classes = labels.cpu().data<long>().ToArray();
        var rows = results.Select(result => Row(inspection,
            result.Epsilon == 0 ? images : AdversarialAttack.Attack(inspection.Network, images, labels, result.Epsilon, options), classes)).ToArray();
        return StackPanel.Titled(
            $"Under attack: {method}",
            $"{inspection.Subject}. Each test image under attacks that change no pixel by more than ε" +
            (inspection.Network.HasDecoder ? ", with its reconstruction by the predicted class's capsule on the right." : ".") +
            " Below: what is read, and its probability.",
            new GridPanel(rows, columnHeads: [.. classes.Select(label => inspection.Dataset.ClassNames[(int)label])], rowHeads:
            [
                .. results.Select(result => string.Create(CultureInfo.InvariantCulture,
                    $"{(result.Epsilon == 0 ? "clean" : $"ε = {result.Epsilon}")}\naccuracy {100 * result.Accuracy:f1} %")),
            ]),
            new LegendPanel((PictureColors.Right, "read right"), (PictureColors.Wrong, "read wrong")));
    }

    private static Cell[] Row(Inspection inspection, Tensor images, long[] classes)
    {
        using var scope = NewDisposeScope();
        var output = inspection.Network.call(images);
        var (probabilities, predicted) = inspection.Network.Probabilities(output).max(1);
        var (values, read) = (probabilities.cpu().data<float>().ToArray(), predicted.cpu().data<long>().ToArray());
        var zoom = ImagePanel.ZoomTo(56, inspection.Checkpoint.Dataset.Image);
        var inputs = ImagePanel.Of(images, zoom);
        var reconstructions = inspection.Network.HasDecoder ? ImagePanel.Of(inspection.Network.Reconstruct(output), zoom) : null;
        return [.. inputs.Select((input, i) => new Cell(
            reconstructions is null ? input : StackPanel.Row(0, input, reconstructions[i]),
            string.Create(CultureInfo.InvariantCulture, $"{inspection.Dataset.ClassNames[(int)read[i]]} ({values[i]:f2})"),
            read[i] == classes[i] ? PictureColors.Right : PictureColors.Wrong))];
    }
}
