using System.Runtime.InteropServices;
using SkiaSharp;

namespace Capsules.Samples;

/// <summary>An image, every pixel a square of <paramref name="zoom"/> by <paramref name="zoom"/>.</summary>
internal sealed class ImagePanel(Raster raster, int zoom) : Panel
{
    public override int Width => raster.Width * zoom;

    public override int Height => raster.Height * zoom;

    /// <summary>The zoom at which images of a size are about so many pixels high or wide.</summary>
    public static int ZoomTo(int pixels, ImageShape image) =>
        Math.Max(1, (int)Math.Round(pixels / (double)Math.Max(image.Height, image.Width)));

    /// <summary>Panels of images (B, C, H, W) in [0, 1].</summary>
    public static ImagePanel[] Of(TorchSharp.torch.Tensor images, int zoom) =>
        [.. Raster.OfImages(images).Select(raster => new ImagePanel(raster, zoom))];

    public override void Draw(SKCanvas canvas, int x, int y)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(raster.Width, raster.Height, SKColorType.Rgba8888, SKAlphaType.Opaque));
        Marshal.Copy(raster.Rgba, 0, bitmap.GetPixels(), raster.Rgba.Length);
        using var image = SKImage.FromBitmap(bitmap);
        canvas.DrawImage(image, new SKRect(x, y, x + Width, y + Height), SKSamplingOptions.Default);      // nearest: pixels stay squares
    }
}
