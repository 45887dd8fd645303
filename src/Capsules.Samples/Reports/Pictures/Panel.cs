using SkiaSharp;

namespace Capsules.Samples;

/// <summary>A rectangle of a picture. Panels are put together from panels, and <see cref="PngFile"/> writes the outermost.</summary>
internal abstract class Panel
{
    /// <summary>In pixels.</summary>
    public abstract int Width { get; }

    /// <summary>In pixels.</summary>
    public abstract int Height { get; }

    /// <summary>Draws it with its upper left corner at a place.</summary>
    public abstract void Draw(SKCanvas canvas, int x, int y);
}
