using System.Globalization;
using ScottPlot;

namespace Capsules.Samples;

/// <summary>A plot of curves over epochs: title, axes with round ticks, and a legend below that covers nothing.</summary>
internal sealed class CurvePlot : IDisposable
{
    private const int Width = 900, Height = 560, MostPoints = 600;

    private readonly Plot _plot = new();
    private readonly bool _isLogarithmic;
    private double _least = double.MaxValue, _most = double.MinValue;

    /// <param name="title">What it shows.</param>
    /// <param name="vertical">What the vertical axis measures.</param>
    /// <param name="isLogarithmic">Whether the vertical axis is logarithmic.</param>
    public CurvePlot(string title, string vertical, bool isLogarithmic = false)
    {
        _isLogarithmic = isLogarithmic;
        PlotFont.Use(_plot);
        _plot.Title(title, 20);
        _plot.XLabel("epoch", 15);
        _plot.YLabel(isLogarithmic ? $"{vertical} (logarithmic)" : vertical, 15);
    }

    /// <summary>Adds a curve; points that are no numbers are left out.</summary>
    /// <param name="name">What the legend says of it.</param>
    /// <param name="points">Epochs and values.</param>
    /// <param name="color">Its colour.</param>
    /// <param name="hasMarkers">Whether its points are values of epochs, and not what happens within them.</param>
    public void Add(string name, IEnumerable<(double Epoch, double? Value)> points, Color color, bool hasMarkers = true)
    {
        var shown = points.Where(point => point.Value is { } value && double.IsFinite(value) && (value > 0 || !_isLogarithmic))
            .Select(point => (point.Epoch, Value: point.Value!.Value)).ToArray();
        if (shown.Length == 0)
        {
            return;
        }

        // Means of neighbours: what a picture of this width can show.
        var size = (shown.Length + MostPoints - 1) / MostPoints;
        shown = [.. shown.Chunk(size).Select(chunk => (chunk.Average(point => point.Epoch), chunk.Average(point => point.Value)))];
        (_least, _most) = (Math.Min(_least, shown.Min(point => point.Value)), Math.Max(_most, shown.Max(point => point.Value)));
        var curve = _plot.Add.Scatter(
            shown.Select(point => point.Epoch).ToArray(), shown.Select(point => _isLogarithmic ? Math.Log10(point.Value) : point.Value).ToArray(), color);
        (curve.LegendText, curve.LineWidth, curve.MarkerSize) = (name, 2.5f, hasMarkers ? 7 : 0);
    }

    /// <summary>Draws it into a PNG file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="epochs">Where the horizontal axis ends.</param>
    /// <param name="ticks">How the vertical axis writes its numbers.</param>
    /// <exception cref="UserException">The file cannot be written.</exception>
    public void Write(string path, int epochs, Func<double, string> ticks)
    {
        _plot.Axes.SetLimitsX(0, epochs * 1.02);
        _plot.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericAutomatic
        {
            IntegerTicksOnly = true,
            LabelFormatter = value => value.ToString("0", CultureInfo.InvariantCulture),
        };
        SetVertical(ticks);
        _plot.ShowLegend(Edge.Bottom);
        (_plot.Legend.Orientation, _plot.Legend.FontSize, _plot.Legend.ShadowColor) = (Orientation.Horizontal, 14, Colors.Transparent);
        using var image = _plot.GetImage(Width, Height);
        AtomicFile.Write(path, stream => stream.Write(image.GetImageBytes(ImageFormat.Png)));
    }

    public void Dispose() => _plot.Dispose();

    private void SetVertical(Func<double, string> ticks)
    {
        if (_least > _most)
        {
            return;
        }

        var (bottom, top) = _isLogarithmic ? (Math.Log10(_least), Math.Log10(_most)) : (_least, _most);
        var margin = Math.Max((top - bottom) * 0.06, _isLogarithmic ? 0.03 : Math.Max(Math.Abs(top) * 0.01, 1e-12));
        _plot.Axes.SetLimitsY(bottom - margin, top + margin);
        if (!_isLogarithmic)
        {
            _plot.Axes.Left.TickGenerator = new ScottPlot.TickGenerators.NumericAutomatic { LabelFormatter = ticks };
            return;
        }

        // 1, 2, 5, 10, 20, ...: at least a few in whatever range, and round ones.
        var generator = new ScottPlot.TickGenerators.NumericManual();
        for (var power = (int)Math.Floor(bottom - margin); power <= top + margin; power++)
        {
            foreach (var digit in (double[])(top - bottom > 0.5 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9]))
            {
                var value = digit * Math.Pow(10, power);
                generator.AddMajor(Math.Log10(value), ticks(value));
            }
        }

        _plot.Axes.Left.TickGenerator = generator;
    }
}
