using System.Globalization;
using SkiaSharp;

namespace Capsules.Samples;

/// <summary>Values from 0 to 1 as bars to the right, each with its name and its value; a line marks 1.</summary>
internal sealed class BarsPanel : Panel
{
    private const int BarHeight = 9, Gap = 5, LongestName = 140;

    private readonly IReadOnlyList<(string Name, float Value, SKColor Color)> _bars;
    private readonly int _names, _length;

    /// <param name="bars">The bars from top to bottom.</param>
    /// <param name="length">The pixels of a bar for 1.</param>
    public BarsPanel(IReadOnlyList<(string Name, float Value, SKColor Color)> bars, int length = 90)
    {
        _bars = [.. bars.Select(bar => bar with { Name = PictureFont.Fit(bar.Name, PictureFont.Small, LongestName) })];
        (_names, _length) = (_bars.Max(bar => PictureFont.Width(bar.Name, PictureFont.Small)), length);
        Width = _names + Gap + length + Gap + PictureFont.Width("0.00", PictureFont.Small);
    }

    public override int Width { get; }

    public override int Height => _bars.Count * PictureFont.LineHeight(PictureFont.Small);

    public override void Draw(SKCanvas canvas, int x, int y)
    {
        var start = x + _names + Gap;
        using (var line = new SKPaint { Color = PictureColors.Line })
        {
            canvas.DrawRect(start, y, 1, Height, line);
            canvas.DrawRect(start + _length, y, 1, Height, line);
        }

        foreach (var (name, value, color) in _bars)
        {
            PictureFont.Draw(canvas, name, start - Gap, y, PictureFont.Small, PictureColors.Ink, align: SKTextAlign.Right);
            using var paint = new SKPaint { Color = color };
            canvas.DrawRect(start, y + 3, Math.Clamp(value, 0, 1) * _length, BarHeight, paint);
            var text = value.ToString("f2", CultureInfo.InvariantCulture);
            PictureFont.Draw(canvas, text, start + _length + Gap, y, PictureFont.Small, PictureColors.Muted);
            y += PictureFont.LineHeight(PictureFont.Small);
        }
    }
}
