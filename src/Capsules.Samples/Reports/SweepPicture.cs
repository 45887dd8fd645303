using System.Globalization;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>What each entry of a class capsule stands for: reconstructions with one entry moved, a row for each entry.</summary>
/// <remarks>
/// <para>Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, figure 4: one of the 16 dimensions of the right capsule is
/// moved by [-0.25, 0.25] in steps of 0.05.</para>
/// </remarks>
internal static class SweepPicture
{
    private const int Steps = 5;      // to either side

    /// <summary>By how much an entry is moved, column by column; the middle one is exactly 0.</summary>
    public static IReadOnlyList<float> Offsets { get; } = [.. Enumerable.Range(-Steps, 2 * Steps + 1).Select(step => step / 20f)];

    /// <summary>Reconstructions (E, 11, C, H, W) of one image's class capsules (1, J, E) with each entry of a class's capsule moved.</summary>
    public static Tensor Sweep(ImageNetwork network, Tensor capsules, long label)
    {
        using var scope = NewDisposeScope();
        var dims = capsules.size(2);
        var offsets = tensor(Offsets.ToArray(), device: capsules.device);
        // (E, 11, E): row e moves entry e.
        var moves = eye(dims, device: capsules.device).unsqueeze(1).mul(offsets.view(1, -1, 1)).reshape(-1, 1, dims);
        var chosen = zeros(1, capsules.size(1), 1, device: capsules.device);
        chosen[0, label, 0] = 1f;
        var moved = Arithmetic.Plus(capsules, moves.mul(chosen));
        var labels = Arithmetic.Filled([moved.size(0)], label, ScalarType.Int64, capsules.device);
        var images = network.Reconstruct(moved, labels);
        return images.reshape([dims, Offsets.Count, .. images.shape[1..]]).MoveToOuterDisposeScope();
    }

    /// <summary>Draws the sweep of one test image by the capsule of its label.</summary>
    public static Panel Of(Inspection inspection, long index)
    {
        using var scope = NewDisposeScope();
        var (image, labels) = inspection.Take(index);
        var label = labels.item<long>();
        var name = inspection.Dataset.ClassNames[(int)label];
        var capsules = inspection.Network.call(image);
        var images = Sweep(inspection.Network, capsules, label);
        var zoom = ImagePanel.ZoomTo(42, inspection.Checkpoint.Dataset.Image);
        var panels = ImagePanel.Of(images.flatten(0, 1), zoom);
        var rows = panels.Select(panel => new Cell(panel)).Chunk(Offsets.Count).ToArray();
        var large = ImagePanel.ZoomTo(112, inspection.Checkpoint.Dataset.Image);
        return StackPanel.Titled(
            $"What the {images.size(0)} dimensions of capsule \"{name}\" stand for",
            $"{inspection.Subject}, test image {index}. Each row moves one entry of the capsule by the amount above its column and reconstructs.",
            StackPanel.Row(20,
                new GridPanel(rows, [.. Offsets.Select(Text)], [.. Enumerable.Range(1, rows.Length).Select(row => $"{row}")], gap: 3),
                new GridPanel(
                [
                    [new Cell(ImagePanel.Of(image, large)[0], "input")],
                    [new Cell(ImagePanel.Of(inspection.Network.Reconstruct(capsules, labels), large)[0], "reconstruction")],
                ])));
    }

    private static string Text(float offset) => offset.ToString("+0.00;-0.00;0", CultureInfo.InvariantCulture);
}
