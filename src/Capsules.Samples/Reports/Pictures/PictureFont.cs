using SkiaSharp;

namespace Capsules.Samples;

/// <summary>
/// The one font of all pictures. It is carried along, for a machine may have none, and then Skia draws no letter at all: DejaVu Sans
/// with its Latin, Greek and Cyrillic letters. What it lacks is taken from a font of the machine, where there is one.
/// </summary>
internal static class PictureFont
{
    public const int Small = 11, Normal = 13, Heading = 18;

    private static readonly SKTypeface Carried = Load();

    /// <summary>The height of a line.</summary>
    public static int LineHeight(int size) => (int)Math.Ceiling(size * 1.3);

    /// <summary>The width of a line of text.</summary>
    public static int Width(string text, int size, bool bold = false)
    {
        using var font = Of(text, size, bold);
        return (int)Math.Ceiling(font.MeasureText(text));
    }

    /// <summary>Draws a line of text; <paramref name="y"/> is the top of the line.</summary>
    public static void Draw(
        SKCanvas canvas, string text, int x, int y, int size, SKColor color, bool bold = false, SKTextAlign align = SKTextAlign.Left)
    {
        using var font = Of(text, size, bold);
        using var paint = new SKPaint { Color = color, IsAntialias = true };
        canvas.DrawText(text, x, y + size, align, font, paint);      // the baseline is about a size below the top
    }

    /// <summary>Shortens a text to a width, with an ellipsis where something is left out.</summary>
    public static string Fit(string text, int size, int width)
    {
        if (Width(text, size) <= width)
        {
            return text;
        }

        var length = text.Length;
        while (length > 1 && Width(text[..length] + "…", size) > width)
        {
            length--;
        }

        return text[..length] + "…";
    }

    // Without hinting, so that letters come out alike everywhere.
    private static SKFont Of(string text, int size, bool bold) => new(TypefaceFor(text), size)
    {
        Embolden = bold,
        Edging = SKFontEdging.Antialias,
        Hinting = SKFontHinting.None,
        Subpixel = true,
    };

    private static SKTypeface TypefaceFor(string text)
    {
        foreach (var rune in text.EnumerateRunes())
        {
            if (!Carried.ContainsGlyph(rune.Value))
            {
                return SKFontManager.Default.MatchCharacter(rune.Value) ?? Carried;
            }
        }

        return Carried;
    }

    /// <summary>The font itself, which the caller owns.</summary>
    public static SKTypeface Load()
    {
        using var stream = typeof(PictureFont).Assembly.GetManifestResourceStream("DejaVuSans-subset.ttf")!;
        return SKTypeface.FromStream(stream);
    }
}
