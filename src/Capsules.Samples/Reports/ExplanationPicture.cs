using System.Globalization;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>
/// What routing decided about one image: the lengths of all class capsules, and heat maps of the coupling coefficients, from where the
/// primary capsules lie to each class, and from each type of primary capsule to each class.
/// </summary>
internal static class ExplanationPicture
{
    /// <summary>Draws a test image.</summary>
    /// <exception cref="UserException">The network has no capsules.</exception>
    public static Panel Of(Inspection inspection, long index)
    {
        using var scope = NewDisposeScope();
        var names = inspection.Dataset.ClassNames;
        var (image, labels) = inspection.Take(index);
        var view = inspection.Capsules.Route(image);
        var lengths = Functional.length(view.Result.Capsules).cpu().data<float>().ToArray();
        var (label, predicted) = ((int)labels.item<long>(), Array.IndexOf(lengths, lengths.Max()));
        var coupling = view.Coupling[0].cpu();                                  // (T, H, W, J)
        var lengthOf = view.GridLengths[0].unsqueeze(-1).cpu();                  // (T, H, W, 1)
        Tensor Weighted(params long[] over) => coupling.mul(lengthOf).sum(over).div(lengthOf.sum(over));

        var maps = new List<Panel>();
        var hasPositions = view.Height * view.Width > 1;      // with one, there is nothing to take a mean of
        if (hasPositions)
        {
            maps.Add(Maps("Where: mean coupling of the primary capsules at each position", coupling.mean([0]), names, label, predicted));
            maps.Add(Maps("Where: the same, each capsule weighted by its length", Weighted(0), names, label, predicted));
        }

        maps.Add(Matrix(coupling.mean([1, 2]), hasPositions ? Weighted(1, 2) : null, names));
        return StackPanel.Titled(
            "Which primary capsules each class capsule listened to",
            string.Create(CultureInfo.InvariantCulture, $"{inspection.Subject}, test image {index}: {names[label]} read as {names[predicted]}. ") +
            Grid(view, names.Count),
            [
                StackPanel.Row(24,
                    new GridPanel([[new Cell(ImagePanel.Of(image, ImagePanel.ZoomTo(140, inspection.Checkpoint.Dataset.Image))[0], "input")]]),
                    StackPanel.Column(4, new TextPanel("Lengths of the class capsules", bold: true), MistakesPicture.Bars(names, lengths, label),
                        new LegendPanel((PictureColors.Right, "the label"), (PictureColors.Wrong, "a wrong prediction")))),
                .. maps,
            ]);
    }

    // One map (H, W) a class, all on one scale, so that they compare.
    private static StackPanel Maps(string title, Tensor values, IReadOnlyList<string> names, int label, int predicted)
    {
        var (low, high) = (values.min().item<float>(), values.max().item<float>());
        var zoom = ImagePanel.ZoomTo(72, new ImageShape(1, values.size(0), values.size(1)));
        var cells = names.Select((name, j) => new Cell(new ImagePanel(Raster.OfValues(values[TensorIndex.Ellipsis, j], low, high), zoom), name,
            j == label ? PictureColors.Right : j == predicted ? PictureColors.Wrong : PictureColors.Line));
        return StackPanel.Column(6, new TextPanel(title, bold: true), new GridPanel([.. cells.Chunk(10)]), new HeatScalePanel("coupling", low, high));
    }

    // Types of primary capsules in columns, classes in rows.
    private static StackPanel Matrix(Tensor coupling, Tensor? weighted, IReadOnlyList<string> names)
    {
        StackPanel Half(string title, Tensor values)
        {
            var (low, high) = (values.min().item<float>(), values.max().item<float>());
            var panel = new ImagePanel(Raster.OfValues(values.t(), low, high), (int)Math.Clamp(400 / values.size(0), 4, 14));
            return StackPanel.Column(6, new TextPanel(title, bold: true),
                StackPanel.Row(6, new RowLabelsPanel(names, panel.Height), panel), new HeatScalePanel("coupling", low, high));
        }

        var plain = Half($"Which: mean coupling of each of the {coupling.size(0)} types", coupling);
        return weighted is null ? plain : StackPanel.Row(24, plain, Half("The same, weighted by length", weighted));
    }

    private static string Grid(RoutingView view, int classes)
    {
        var types = view.Lengths.size(1) / (view.Height * view.Width);
        var where = view.Height * view.Width > 1
            ? $"{types} types on a grid of {view.Height} x {view.Width}"
            : $"{types} types, each of which sees the whole image";
        return string.Create(
            CultureInfo.InvariantCulture, $"Primary capsules: {where}. Even coupling would be 1/{classes} = {1.0 / classes:f3} everywhere.");
    }
}
