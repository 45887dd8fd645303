using SkiaSharp;

namespace Capsules.Samples;

/// <summary>Picture files as opaque bitmaps, upright.</summary>
internal static class PictureFile
{
    /// <summary>Larger pictures are not read.</summary>
    public const long MostPixels = 100_000_000;

    /// <summary>Reads a picture.</summary>
    /// <exception cref="UserException">There is no such file, it is no picture, it is cut short, or enormous.</exception>
    public static SKBitmap Read(string path)
    {
        if (!File.Exists(path))
        {
            throw new UserException($"There is no picture {path}.");
        }

        try
        {
            return Decode(File.ReadAllBytes(path), path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{path} cannot be read: {failure.Message}", failure);
        }
    }

    /// <summary>Reads a picture from the bytes of its file.</summary>
    /// <param name="bytes">A PNG, JPEG, BMP, GIF or WebP file.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="UserException">It is no picture, it is cut short, or enormous.</exception>
    public static SKBitmap Decode(byte[] bytes, string name)
    {
        using var data = SKData.CreateCopy(bytes);
        using var codec = SKCodec.Create(data)
            ?? throw new UserException($"{name} is not a picture that can be read. Give a PNG, JPEG, BMP or WebP file.");
        var (width, height) = (codec.Info.Width, codec.Info.Height);
        if ((long)width * height > MostPixels)
        {
            throw new UserException($"{name} has {width} x {height} pixels, which is more than {MostPixels / 1_000_000} million. Scale it down.");
        }

        using var picture = new SKBitmap(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Unpremul));
        if (codec.GetPixels(picture.Info, picture.GetPixels()) != SKCodecResult.Success)
        {
            throw new UserException($"{name} is a damaged picture: it breaks off or does not decode. Give a whole one.");
        }

        return Upright(Ground(picture), codec.EncodedOrigin, picture);
    }

    /// <summary>Whether a picture that a camera marked so has its height for its width.</summary>
    public static bool IsTurned(SKEncodedOrigin origin) =>
        origin is SKEncodedOrigin.LeftTop or SKEncodedOrigin.RightTop or SKEncodedOrigin.RightBottom or SKEncodedOrigin.LeftBottom;

    /// <summary>A picture at another size. The caller owns it.</summary>
    /// <returns>Null where it cannot be scaled.</returns>
    public static SKBitmap? Resized(SKBitmap picture, int width, int height) => picture.Resize(
        new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque), new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.Linear));

    /// <summary>The luma of a colour, of 255, by the weights of Rec. 601.</summary>
    public static double Luma(byte red, byte green, byte blue) => 0.299 * red + 0.587 * green + 0.114 * blue;

    // Transparent parts show a ground that the ink stands out from: white, or black under light ink.
    private static SKColor Ground(SKBitmap picture)
    {
        var (light, opaque, transparent) = (0.0, 0.0, 0.0);
        var pixels = picture.GetPixelSpan();
        for (var i = 0; i < pixels.Length; i += 4)
        {
            light += pixels[i + 3] * (pixels[i] + pixels[i + 1] + pixels[i + 2]) / (3.0 * 255);
            opaque += pixels[i + 3];
            transparent += 255 - pixels[i + 3];
        }

        return transparent > 0 && light > 0.5 * opaque ? SKColors.Black : SKColors.White;
    }

    // Cameras store pictures as the sensor lay, and beside them how to turn them.
    private static SKBitmap Upright(SKColor ground, SKEncodedOrigin origin, SKBitmap picture)
    {
        var (width, height) = (picture.Width, picture.Height);
        var isTurned = IsTurned(origin);
        var upright = new SKBitmap(new SKImageInfo(isTurned ? height : width, isTurned ? width : height, SKColorType.Rgba8888, SKAlphaType.Opaque));
        using var canvas = new SKCanvas(upright);
        canvas.Clear(ground);
        canvas.SetMatrix(origin switch
        {
            SKEncodedOrigin.TopRight => new SKMatrix(-1, 0, width, 0, 1, 0, 0, 0, 1),
            SKEncodedOrigin.BottomRight => new SKMatrix(-1, 0, width, 0, -1, height, 0, 0, 1),
            SKEncodedOrigin.BottomLeft => new SKMatrix(1, 0, 0, 0, -1, height, 0, 0, 1),
            SKEncodedOrigin.LeftTop => new SKMatrix(0, 1, 0, 1, 0, 0, 0, 0, 1),
            SKEncodedOrigin.RightTop => new SKMatrix(0, -1, height, 1, 0, 0, 0, 0, 1),
            SKEncodedOrigin.RightBottom => new SKMatrix(0, -1, height, -1, 0, width, 0, 0, 1),
            SKEncodedOrigin.LeftBottom => new SKMatrix(0, 1, 0, -1, 0, width, 0, 0, 1),
            _ => SKMatrix.Identity,
        });
        canvas.DrawBitmap(picture, 0, 0);
        return upright;
    }
}
