using SkiaSharp;

namespace Capsules.Samples;

/// <summary>Pictures as a dataset's bytes: opaque and upright as <see cref="PictureFile"/> gives those that a network is asked about, and scaled.</summary>
internal static class PicturePixels
{
    /// <summary>The size of a picture, read from its header alone.</summary>
    /// <exception cref="UserException">It is no picture, or an enormous one.</exception>
    public static (int Width, int Height, bool IsGrey) InfoOf(string path)
    {
        using var codec = SKCodec.Create(path) ?? throw Unreadable(path);
        var info = PictureFile.IsTurned(codec.EncodedOrigin) ? codec.Info.WithSize(codec.Info.Height, codec.Info.Width) : codec.Info;
        return (long)info.Width * info.Height <= PictureFile.MostPixels
            ? (info.Width, info.Height, info.ColorType == SKColorType.Gray8)
            : throw new UserException(
                $"{path} is {info.Width} x {info.Height}, larger than any picture should be. Scale it down, or take it out.");
    }

    /// <summary>Writes a picture's channels, one after the other, into as many bytes as its shape has.</summary>
    /// <exception cref="UserException">It cannot be read.</exception>
    public static void Read(string path, ImageShape shape, Span<byte> target)
    {
        using var picture = PictureFile.Read(path);
        var (width, height) = ((int)shape.Width, (int)shape.Height);
        using var scaled = picture.Width == width && picture.Height == height
            ? null
            : PictureFile.Resized(picture, width, height) ?? throw Unreadable(path);
        var rgba = (scaled ?? picture).GetPixelSpan();
        var plane = width * height;
        for (var i = 0; i < plane; i++)
        {
            var (red, green, blue) = (rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2]);
            if (shape.Channels == 1)
            {
                target[i] = (byte)(PictureFile.Luma(red, green, blue) + 0.5);
            }
            else
            {
                (target[i], target[plane + i], target[2 * plane + i]) = (red, green, blue);
            }
        }
    }

    private static UserException Unreadable(string path) => new(
        $"{path} is not a picture that can be read whole. Replace it with a PNG, JPEG, BMP or WebP file, or take it out.");
}
