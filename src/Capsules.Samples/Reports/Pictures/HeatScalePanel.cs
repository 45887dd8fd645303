using System.Globalization;
using SkiaSharp;

namespace Capsules.Samples;

/// <summary>Which value each colour of a heat map stands for: a bar of the colours between the least value and the greatest.</summary>
internal sealed class HeatScalePanel(string name, float low, float high) : Panel
{
    private const int Bar = 160, Gap = 6;

    private readonly string _low = Text(low), _high = Text(high);

    public override int Width => Size(name) + Gap + Size(_low) + Gap + Bar + Gap + Size(_high);

    public override int Height => PictureFont.LineHeight(PictureFont.Small);

    public override void Draw(SKCanvas canvas, int x, int y)
    {
        PictureFont.Draw(canvas, name, x, y, PictureFont.Small, PictureColors.Ink);
        x += Size(name) + Gap;
        PictureFont.Draw(canvas, _low, x, y, PictureFont.Small, PictureColors.Ink);
        x += Size(_low) + Gap;
        for (var i = 0; i < Bar; i++)
        {
            using var paint = new SKPaint { Color = HeatColors.At(i / (Bar - 1f)) };
            canvas.DrawRect(x + i, y + 1, 1, 12, paint);
        }

        PictureFont.Draw(canvas, _high, x + Bar + Gap, y, PictureFont.Small, PictureColors.Ink);
    }

    private static int Size(string text) => PictureFont.Width(text, PictureFont.Small);

    private static string Text(float value) => value.ToString("0.###", CultureInfo.InvariantCulture);
}
