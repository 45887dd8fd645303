using SkiaSharp;

namespace Capsules.Samples;

/// <summary>Pictures on white, as PNG files.</summary>
internal static class PngFile
{
    public const int Margin = 16;

    /// <summary>Draws a panel with a margin around it and writes it, whole or not at all.</summary>
    /// <exception cref="UserException">The file cannot be written.</exception>
    public static void Write(string path, Panel panel, int margin = Margin)
    {
        using var png = Encode(panel, margin);
        AtomicFile.Write(path, stream => png.SaveTo(stream));
    }

    /// <summary>The bytes of such a file. The caller owns them.</summary>
    /// <exception cref="UserException">The picture is too large to draw.</exception>
    public static SKData Encode(Panel panel, int margin)
    {
        var (width, height) = (panel.Width + 2 * margin, panel.Height + 2 * margin);
        using var surface = SKSurface.Create(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque))
            ?? throw new UserException($"A picture of {width} x {height} pixels is too large to draw. Show fewer images.");
        surface.Canvas.Clear(SKColors.White);
        panel.Draw(surface.Canvas, margin, margin);
        using var pixels = surface.PeekPixels()!;      // surfaces in memory have them
        return pixels.Encode(new SKPngEncoderOptions(SKPngEncoderFilterFlags.AllFilters, zLibLevel: 9))!;      // smaller than by default
    }
}
