using ScottPlot;
using SkiaSharp;

namespace Capsules.Samples;

/// <summary>The font of plots: that of all pictures, which the program carries, for a machine may have none.</summary>
internal static class PlotFont
{
    private const string Name = "DejaVu Sans, carried along";

    static PlotFont()
    {
        Fonts.FontResolvers.Insert(0, new Resolver());
        Fonts.Default = Name;
    }

    /// <summary>Sets a plot's font, and that of what is added to it from now on.</summary>
    public static void Use(Plot plot) => plot.Font.Set(Name);

    private sealed class Resolver : IFontResolver
    {
        public SKTypeface? CreateTypeface(string fontName, FontWeight weight, FontSlant slant, FontSpacing spacing) =>
            fontName == Name ? PictureFont.Load() : null;

        public SKTypeface? CreateTypeface(string fontName, bool bold, bool italic) => fontName == Name ? PictureFont.Load() : null;
    }
}
