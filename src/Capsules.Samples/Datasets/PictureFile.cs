using SkiaSharp;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Pictures as a network's input.</summary>
internal static class PictureFile
{
    /// <summary>Reads a picture, scaled to a size, as float32 (1, C, H, W) in [0, 1]; grey where there is one channel.</summary>
    /// <exception cref="UserException">There is no such file, or it is no picture.</exception>
    public static Tensor Read(string path, ImageShape shape, bool invert)
    {
        if (!File.Exists(path))
        {
            throw new UserException($"There is no picture {path}.");
        }

        using var picture = SKBitmap.Decode(path)
            ?? throw new UserException($"{path} is not a picture that can be read. Give a PNG, JPEG, BMP or WebP file.");
        var (width, height) = ((int)shape.Width, (int)shape.Height);
        using var scaled = picture.Resize(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Unpremul), new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.Linear));
        var values = new float[shape.Channels * height * width];
        for (var pixel = 0; pixel < height * width; pixel++)
        {
            var color = scaled.GetPixel(pixel % width, pixel / width);
            for (var channel = 0; channel < shape.Channels; channel++)
            {
                var value = shape.Channels == 1
                    ? (0.299f * color.Red + 0.587f * color.Green + 0.114f * color.Blue) / 255      // Rec. 601 luma
                    : (channel switch { 0 => color.Red, 1 => color.Green, _ => color.Blue }) / 255f;
                values[channel * height * width + pixel] = invert ? 1 - value : value;
            }
        }

        return tensor(values, [1, shape.Channels, height, width]);
    }
}
