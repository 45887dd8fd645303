using System.Globalization;
using ScottPlot;

namespace Capsules.Samples;

/// <summary>
/// A confusion matrix as a picture: rows are classes, columns what they were read as. In each cell the count and its share of the
/// row; right ones blue, confusions orange, the darker the more of their kind.
/// </summary>
internal static class ConfusionPlot
{
    private const int CellSize = 62, Margin = 190, MostClassesWithText = 30;

    private static readonly Color Right = Color.FromHex("#1f5fa8"), Wrong = Color.FromHex("#d9480f"), Line = Color.FromHex("#d0d0d0");

    /// <summary>Draws it into a PNG file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="matrix">What was read as what.</param>
    /// <param name="classNames">Names of the classes.</param>
    /// <param name="images">Which images: "test" or "validation".</param>
    /// <exception cref="UserException">The file cannot be written.</exception>
    public static void Write(string path, ConfusionMatrix matrix, IReadOnlyList<string> classNames, string images)
    {
        using var plot = new Plot();
        PlotFont.Use(plot);
        var classes = matrix.Classes;
        var pairs = Enumerable.Range(0, classes).SelectMany(label => Enumerable.Range(0, classes).Select(predicted => (label, predicted))).ToArray();
        var most = Math.Max(pairs.Where(pair => pair.label != pair.predicted).Max(pair => matrix.Share(pair.label, pair.predicted)), 1e-9);
        foreach (var (label, predicted) in pairs)
        {
            Draw(plot, matrix, label, predicted, label == predicted ? matrix.Share(label, predicted) : matrix.Share(label, predicted) / most);
        }

        var wrong = pairs.Where(pair => pair.label != pair.predicted).Sum(pair => matrix[pair.label, pair.predicted]);
        var all = Enumerable.Range(0, classes).Sum(matrix.Images);
        plot.Title(string.Create(CultureInfo.InvariantCulture, $"Confusions on {all:n0} {images} images: {wrong:n0} wrong ({(double)wrong / Math.Max(all, 1):p2})"), 20);
        plot.XLabel("read as (count, and share of the row; right ones blue, confusions orange)", 15);
        plot.YLabel("class", 15);
        Label(plot.Axes.Bottom, classNames, predicted => predicted);
        Label(plot.Axes.Left, classNames, label => classes - 1 - label);
        var longest = classNames.Max(name => name.Length);
        if (longest > 5)
        {
            // Turned labels count as one line in ScottPlot's layout: 6 pixels a letter, below them the axis' name.
            (plot.Axes.Bottom.TickLabelStyle.Rotation, plot.Axes.Bottom.TickLabelStyle.Alignment) = (-45, Alignment.MiddleRight);
            (plot.Axes.Bottom.MinimumSize, plot.Axes.Left.MinimumSize) = (50 + 6 * longest, 60 + 6 * longest);
        }

        plot.Axes.SetLimits(-0.5, classes - 0.5, -0.5, classes - 0.5);
        plot.HideGrid();
        var size = Margin + classes * (classes <= MostClassesWithText ? CellSize : CellSize / 4);
        using var image = plot.GetImage(Math.Max(size, 760), Math.Max(size - 40, 640));
        AtomicFile.Write(path, stream => stream.Write(image.GetImageBytes(ImageFormat.Png)));
    }

    private static void Draw(Plot plot, ConfusionMatrix matrix, int label, int predicted, double strength)
    {
        var (x, y, count) = (predicted, matrix.Classes - 1 - label, matrix[label, predicted]);
        var cell = plot.Add.Rectangle(x - 0.5, x + 0.5, y - 0.5, y + 0.5);
        // Even one confusion has a colour that is seen.
        cell.FillColor = count == 0 ? Colors.White : Colors.White.MixedWith(label == predicted ? Right : Wrong, 0.12 + 0.88 * strength);
        (cell.LineColor, cell.LineWidth) = (Line, 1);
        if (count == 0 || matrix.Classes > MostClassesWithText)
        {
            return;
        }

        var text = plot.Add.Text(string.Create(CultureInfo.InvariantCulture, $"{count}\n{matrix.Share(label, predicted):p1}"), x, y);
        (text.LabelAlignment, text.LabelFontSize, text.LabelFontColor) = (Alignment.MiddleCenter, 12, strength > 0.5 ? Colors.White : Colors.Black);
    }

    private static void Label(IAxis axis, IReadOnlyList<string> classNames, Func<int, int> position)
    {
        axis.SetTicks([.. classNames.Select((_, i) => (double)position(i))], [.. classNames]);
        axis.TickLabelStyle.FontSize = 14;
        axis.MajorTickStyle.Length = 0;
    }
}
