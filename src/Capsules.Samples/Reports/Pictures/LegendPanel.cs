using SkiaSharp;

namespace Capsules.Samples;

/// <summary>What colours stand for: a swatch and a word each, in a row.</summary>
internal sealed class LegendPanel(params IReadOnlyList<(SKColor Color, string Text)> entries) : Panel
{
    private const int Swatch = 12, TextGap = 5, Gap = 16;

    public override int Width => entries.Sum(entry => EntryWidth(entry.Text)) - Gap;

    public override int Height => PictureFont.LineHeight(PictureFont.Small);

    public override void Draw(SKCanvas canvas, int x, int y)
    {
        foreach (var (color, text) in entries)
        {
            using var paint = new SKPaint { Color = color };
            canvas.DrawRect(x, y + 1, Swatch, Swatch, paint);
            PictureFont.Draw(canvas, text, x + Swatch + TextGap, y, PictureFont.Small, PictureColors.Ink);
            x += EntryWidth(text);
        }
    }

    private static int EntryWidth(string text) => Swatch + TextGap + PictureFont.Width(text, PictureFont.Small) + Gap;
}
