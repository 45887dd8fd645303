using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Pixels, row by row, four bytes each: red, green, blue and 255.</summary>
internal sealed record Raster(int Width, int Height, byte[] Rgba)
{
    /// <summary>Images (B, C, H, W) in [0, 1]. Fewer than three channels show the first one in grey, more the first three in colour.</summary>
    public static Raster[] OfImages(Tensor images)
    {
        using var scope = NewDisposeScope();
        var shown = images.size(1) < 3 ? images.narrow(1, 0, 1).expand(-1, 3, -1, -1) : images.narrow(1, 0, 3);
        return Split(shown.permute(0, 2, 3, 1));
    }

    /// <summary>Values (H, W) in the colours of a scale from <paramref name="low"/> to <paramref name="high"/>.</summary>
    public static Raster OfValues(Tensor values, float low, float high)
    {
        using var scope = NewDisposeScope();
        var (height, width) = ((int)values.size(0), (int)values.size(1));
        var pixels = new byte[4 * height * width];
        var i = 0;
        foreach (var value in values.cpu().to(float32).contiguous().data<float>())
        {
            var color = HeatColors.At(high > low ? (value - low) / (high - low) : 0);
            (pixels[i], pixels[i + 1], pixels[i + 2], pixels[i + 3]) = (color.Red, color.Green, color.Blue, 255);
            i += 4;
        }

        return new Raster(width, height, pixels);
    }

    // (B, H, W, 3) in [0, 1].
    private static Raster[] Split(Tensor colors)
    {
        var (height, width) = ((int)colors.size(1), (int)colors.size(2));
        var opaque = cat([colors, ones_like(colors.narrow(3, 0, 1))], 3);
        var bytes = Arithmetic.Clamp(Arithmetic.Times(opaque.detach(), 255).round(), 0, 255).to(uint8).cpu().contiguous().data<byte>().ToArray();
        return [.. bytes.Chunk(4 * height * width).Select(pixels => new Raster(width, height, pixels))];
    }
}
