using SkiaSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Pictures of any size as a network's input, as far as can be like the images that it was trained on.</summary>
/// <param name="shape">The images that the network knows; of windows, those that they are taken of.</param>
/// <param name="isOnDark">
/// Whether those are light on a dark ground, as MNIST's digits are. A picture that is dark on light is then inverted, and keeps its
/// proportions on a wider or higher ground; other pictures are taken as they are and stretched to the shape, as in training.
/// </param>
/// <param name="window">The windows, of which the middle one is taken, as in the test; null for whole images.</param>
internal sealed class PictureInput(ImageShape shape, bool isOnDark, ImageShape? window = null)
{
    // MNIST's digits fill a box of 20 of 28 pixels.
    private const double BoxShare = 20.0 / 28, LeastInk = 0.25;

    /// <summary>For a checkpoint's dataset: the grey ones that train knows are light on dark, those of a user's folder are unknown.</summary>
    public static PictureInput For(DatasetFacts dataset) => new(
        dataset.CroppedFrom ?? dataset.Image, dataset.Image.Channels == 1 && dataset.Name != ImageFolder.Name, dataset.Image);

    /// <summary>Makes a picture a float32 tensor (1, C, H, W) in [0, 1].</summary>
    /// <param name="picture">An opaque picture.</param>
    /// <param name="name">What errors call it.</param>
    /// <param name="invert">Whether to invert it; null to see for oneself where light on dark is wanted.</param>
    /// <param name="fit">
    /// Whether to treat the ink as MNIST's: cut out, stretched in contrast, scaled to a box of 20/28 of the image, its centre of mass in
    /// the middle. For one channel.
    /// </param>
    /// <returns>The tensor, and whether the picture was inverted.</returns>
    /// <exception cref="UserException">It is to be fitted, but shows nothing, or the network sees colours.</exception>
    public (Tensor Image, bool IsInverted) Read(SKBitmap picture, string name, bool? invert = null, bool fit = false)
    {
        if (fit && shape.Channels != 1)
        {
            throw new UserException("--fit is for networks of grey images, and this one's have colours. Leave it out.");
        }

        var ground = BorderMedian(picture);
        var isInverted = invert ?? (isOnDark && ground > 0.5f);
        var values = fit ? Fitted(picture, name, ground, isInverted) : Scaled(picture, name, ground, isInverted);
        var (height, width) = window is { } cut ? (cut.Height, cut.Width) : (shape.Height, shape.Width);
        return (tensor(values, [1, shape.Channels, shape.Height, shape.Width])
            .narrow(2, (shape.Height - height) / 2, height).narrow(3, (shape.Width - width) / 2, width), isInverted);
    }

    private float[] Scaled(SKBitmap picture, string name, float ground, bool isInverted)
    {
        var (width, height) = ((int)shape.Width, (int)shape.Height);
        using var padded = isOnDark ? Padded(picture, name, ground) : null;
        using var scaled = PictureFile.Resized(padded ?? picture, width, height)!;
        var values = new float[shape.Channels * height * width];
        for (var pixel = 0; pixel < height * width; pixel++)
        {
            var color = scaled.GetPixel(pixel % width, pixel / width);
            for (var channel = 0; channel < shape.Channels; channel++)
            {
                var value = shape.Channels < 3 ? Luma(color) : (channel switch { 0 => color.Red, 1 => color.Green, _ => color.Blue }) / 255f;
                values[channel * height * width + pixel] = isInverted ? 1 - value : value;
            }
        }

        return values;
    }

    // To the proportions of the shape, with the ground's colour at the sides.
    private SKBitmap Padded(SKBitmap picture, string name, float ground)
    {
        var width = (int)Math.Max(picture.Width, Math.Round(picture.Height * (double)shape.Width / shape.Height));
        var height = (int)Math.Max(picture.Height, Math.Round(picture.Width * (double)shape.Height / shape.Width));
        if ((long)width * height > PictureFile.MostPixels)
        {
            throw new UserException(
                $"{name} has {picture.Width} x {picture.Height} pixels and is too narrow for images of {shape}. Cut out what it shows, or scale it down.");
        }

        var padded = new SKBitmap(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque));
        using var canvas = new SKCanvas(padded);
        var grey = (byte)MathF.Round(255 * ground);
        canvas.Clear(new SKColor(grey, grey, grey));
        canvas.DrawBitmap(picture, (width - picture.Width) / 2, (height - picture.Height) / 2);
        return padded;
    }

    private float[] Fitted(SKBitmap picture, string name, float ground, bool isInverted)
    {
        using var whole = InkOf(picture, ground, isInverted)
            ?? throw new UserException($"{name} shows nothing but its ground, so --fit finds nothing to fit.");
        var box = Bounds(whole);
        using var cut = new SKBitmap();
        whole.ExtractSubset(cut, box);
        var scale = BoxShare * Math.Min(shape.Height, shape.Width) / Math.Max(box.Width, box.Height);
        using var ink = PictureFile.Resized(cut, (int)Math.Max(1, Math.Round(box.Width * scale)), (int)Math.Max(1, Math.Round(box.Height * scale)))!;

        var (mass, x, y) = (0.0, 0.0, 0.0);
        for (var i = 0; i < ink.Width * ink.Height; i++)
        {
            var value = ink.GetPixel(i % ink.Width, i / ink.Width).Red;
            (mass, x, y) = (mass + value, x + value * (i % ink.Width + 0.5), y + value * (i / ink.Width + 0.5));
        }

        var left = Math.Clamp((int)Math.Round(shape.Width / 2.0 - x / mass), 0, (int)shape.Width - ink.Width);
        var top = Math.Clamp((int)Math.Round(shape.Height / 2.0 - y / mass), 0, (int)shape.Height - ink.Height);
        var values = new float[shape.Height * shape.Width];
        for (var i = 0; i < ink.Width * ink.Height; i++)
        {
            values[(top + i / ink.Width) * shape.Width + left + i % ink.Width] = ink.GetPixel(i % ink.Width, i / ink.Width).Red / 255f;
        }

        return values;
    }

    // Grey: the ground black and the strongest ink white. Null where there is no ink.
    private static SKBitmap? InkOf(SKBitmap picture, float ground, bool isInverted)
    {
        var pixels = picture.GetPixelSpan();
        var values = new float[pixels.Length / 4];
        var most = 0f;
        for (var i = 0; i < values.Length; i++)
        {
            var luma = (float)(PictureFile.Luma(pixels[4 * i], pixels[4 * i + 1], pixels[4 * i + 2]) / 255);
            values[i] = Math.Max(0, isInverted ? ground - luma : luma - ground);
            most = Math.Max(most, values[i]);
        }

        if (most < 0.05f)
        {
            return null;
        }

        var ink = new SKBitmap(picture.Info);
        unsafe
        {
            var target = new Span<byte>((void*)ink.GetPixels(), pixels.Length);
            for (var i = 0; i < values.Length; i++)
            {
                target.Slice(4 * i, 3).Fill((byte)MathF.Round(255 * values[i] / most));
                target[4 * i + 3] = 255;
            }
        }

        return ink;
    }

    private static SKRectI Bounds(SKBitmap ink)
    {
        var box = new SKRectI(ink.Width, ink.Height, 0, 0);
        var pixels = ink.GetPixelSpan();
        for (var i = 0; i < pixels.Length / 4; i++)
        {
            if (pixels[4 * i] >= 255 * LeastInk)
            {
                var (x, y) = (i % ink.Width, i / ink.Width);
                box = new SKRectI(Math.Min(box.Left, x), Math.Min(box.Top, y), Math.Max(box.Right, x + 1), Math.Max(box.Bottom, y + 1));
            }
        }

        return box;
    }

    // The ground is what the border is made of.
    private static float BorderMedian(SKBitmap picture)
    {
        var border = new List<float>(2 * (picture.Width + picture.Height));
        for (var x = 0; x < picture.Width; x++)
        {
            border.Add(Luma(picture.GetPixel(x, 0)));
            border.Add(Luma(picture.GetPixel(x, picture.Height - 1)));
        }

        for (var y = 0; y < picture.Height; y++)
        {
            border.Add(Luma(picture.GetPixel(0, y)));
            border.Add(Luma(picture.GetPixel(picture.Width - 1, y)));
        }

        border.Sort();
        return border[border.Count / 2];
    }

    private static float Luma(SKColor color) => (float)(PictureFile.Luma(color.Red, color.Green, color.Blue) / 255);
}
