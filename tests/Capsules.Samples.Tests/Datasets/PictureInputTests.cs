using SkiaSharp;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Datasets;

public sealed class PictureInputTests : IDisposable
{
    private static readonly PictureInput Digits = new(new ImageShape(1, 28, 28), isOnDark: true);

    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(0, 255, false)]
    [InlineData(255, 0, true)]
    public void Read_DarkOnLightAndTheReverse_ComeOutAlike(byte ground, byte ink, bool isInverted)
    {
        using var picture = Picture(28, 28, ground, (10, 5, 8, 20, ink));
        var (image, inverted) = Digits.Read(picture, "it");
        inverted.Should().Be(isInverted);
        image.shape.Should().Equal(1, 1, 28, 28);
        image.sum().item<float>().Should().Be(8 * 20);
        image[0, 0, 5, 10].item<float>().Should().Be(1);
        image[0, 0, 4, 10].item<float>().Should().Be(0);
    }

    [Fact]
    public void Read_InvertGiven_IsObeyed()
    {
        using var picture = Picture(28, 28, 255);
        Digits.Read(picture, "it", invert: false).Image.mean().item<float>().Should().Be(1);
        Digits.Read(picture, "it", invert: true).Image.mean().item<float>().Should().Be(0);
        new PictureInput(new ImageShape(1, 28, 28), isOnDark: false).Read(picture, "it").IsInverted.Should().BeFalse("the training images may have been like that");
    }

    // 280 x 140 with a square of ink: padded above and below and scaled by a tenth, the square stays a square.
    [Fact]
    public void Read_WidePicture_KeepsItsProportionsOnItsGround()
    {
        using var picture = Picture(280, 140, 255, (100, 40, 60, 60, 0));
        var image = Digits.Read(picture, "it").Image;
        var (rows, columns) = (image.gt(0.5).any(3).sum().item<long>(), image.gt(0.5).any(2).sum().item<long>());
        rows.Should().Be(6);
        columns.Should().Be(6);
        image[0, 0, 0].max().item<float>().Should().Be(0, "what was added is ground");
    }

    [Fact]
    public void Read_WidePictureForAUsersFolder_IsStretchedAsInTraining()
    {
        using var picture = Picture(280, 140, 255, (100, 40, 60, 60, 0));
        var image = new PictureInput(new ImageShape(3, 28, 28), isOnDark: false).Read(picture, "it").Image;
        image.shape.Should().Equal(1, 3, 28, 28);
        image[0, 1].lt(0.5).any(1).sum().item<long>().Should().Be(12);
        image[0, 1].lt(0.5).any(0).sum().item<long>().Should().Be(6);
    }

    // A tall grey bar with a heavy foot, far from the middle of a large picture.
    [Fact]
    public void Read_Fit_ScalesToMnistsBoxAndCentresTheMass()
    {
        using var picture = Picture(400, 300, 230, (300, 40, 20, 180, 90), (260, 220, 100, 20, 90));
        var (image, inverted) = Digits.Read(picture, "it", fit: true);
        inverted.Should().BeTrue();
        image.max().item<float>().Should().Be(1, "the strongest ink is white");
        var ink = image[0, 0].gt(0.25);
        ink.any(1).sum().item<long>().Should().Be(20, "the longer side of MNIST's digits");
        ink.any(0).sum().item<long>().Should().BeInRange(9, 11);
        var places = arange(28).add(0.5);
        var mass = image.sum().item<float>();
        (image[0, 0].sum(1).mul(places).sum().item<float>() / mass).Should().BeApproximately(14, 0.6f);
        (image[0, 0].sum([0L]).mul(places).sum().item<float>() / mass).Should().BeApproximately(14, 0.6f);
    }

    // A network of windows was trained and tested on them at the scale of whole images.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Read_ForWindows_IsTheMiddleOfTheWholeImage(bool fit)
    {
        var facts = new DatasetFacts("mnist", new ImageShape(1, 21, 20), ["0", "1"], "") { CroppedFrom = new ImageShape(1, 28, 28) };
        using var picture = Picture(56, 56, 255, (20, 10, 16, 40, 0), (24, 2, 4, 4, 90));
        var whole = Digits.Read(picture, "it", fit: fit).Image;
        var window = PictureInput.For(facts).Read(picture, "it", fit: fit).Image;
        window.shape.Should().Equal(1, 1, 21, 20);
        window.contiguous().data<float>().ToArray().Should().Equal(whole.narrow(2, 3, 21).narrow(3, 4, 20).contiguous().data<float>().ToArray());
    }

    [Fact]
    public void Read_FitOfNothingOrOfColour_IsAnError()
    {
        using var picture = Picture(40, 40, 200);
        ((Action)(() => Digits.Read(picture, "blank.png", fit: true))).Should().Throw<UserException>()
            .WithMessage("blank.png shows nothing but its ground, so --fit finds nothing to fit.");
        ((Action)(() => new PictureInput(new ImageShape(3, 32, 32), false).Read(picture, "it", fit: true))).Should().Throw<UserException>()
            .WithMessage("--fit is for networks of grey images*");
    }

    [Theory]
    [InlineData(0, 255)]
    [InlineData(255, 0)]
    public void Decode_InkOnTransparentGround_StandsOut(byte ink, byte expectedGround)
    {
        using var drawn = new SKBitmap(new SKImageInfo(20, 20, SKColorType.Rgba8888, SKAlphaType.Unpremul));
        drawn.Erase(SKColors.Transparent);
        drawn.SetPixel(5, 6, new SKColor(ink, ink, ink));
        using var picture = PictureFile.Decode(Bytes(drawn, SKEncodedImageFormat.Png), "it");
        picture.GetPixel(0, 0).Red.Should().Be(expectedGround);
        picture.GetPixel(5, 6).Red.Should().Be(ink);
    }

    [Theory]
    [InlineData(1, 0, 0)]
    [InlineData(2, 15, 0)]
    [InlineData(3, 15, 31)]
    [InlineData(4, 0, 31)]
    [InlineData(5, 0, 0)]
    [InlineData(6, 31, 0)]
    [InlineData(7, 31, 15)]
    [InlineData(8, 0, 15)]
    public void Decode_CameraOrientation_IsTurnedUpright(int orientation, int x, int y)
    {
        // 16 wide and 32 high, with a black corner at the upper left as stored.
        using var stored = Picture(16, 32, 255, (0, 0, 8, 8, 0));
        var jpeg = Bytes(stored, SKEncodedImageFormat.Jpeg);
        byte[] exif = [0xff, 0xe1, 0, 34, .. "Exif\0\0"u8, .. "MM\0*"u8, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, (byte)orientation, 0, 0, 0, 0, 0, 0];
        using var picture = PictureFile.Decode([.. jpeg[..2], .. exif, .. jpeg[2..]], "it");
        (picture.Width, picture.Height).Should().Be(orientation < 5 ? (16, 32) : (32, 16));
        picture.GetPixel(x, y).Red.Should().BeLessThan(60);
        picture.GetPixel(picture.Width - 1 - x, picture.Height - 1 - y).Red.Should().BeGreaterThan(200);
    }

    [Fact]
    public void Decode_WhatIsNoWholePicture_IsOneSentence()
    {
        using var drawn = Picture(200, 200, 255, (20, 20, 50, 50, 0));
        var png = Bytes(drawn, SKEncodedImageFormat.Png);
        ((Action)(() => PictureFile.Decode(png[..(png.Length / 2)], "half.png"))).Should().Throw<UserException>().WithMessage("half.png is a damaged picture*");
        ((Action)(() => PictureFile.Decode([], "empty.png"))).Should().Throw<UserException>().WithMessage("empty.png is not a picture that can be read. Give a PNG, JPEG, BMP or WebP file.");
        ((Action)(() => PictureFile.Read("missing.png"))).Should().Throw<UserException>().WithMessage("There is no picture missing.png.");

        // A bitmap's header that promises 60,000 x 60,000 pixels: refused before memory is asked for.
        byte[] bomb = [.. "BM"u8, 0, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0, 0x60, 0xea, 0, 0, 0x60, 0xea, 0, 0, 1, 0, 24, 0, .. new byte[200]];
        ((Action)(() => PictureFile.Decode(bomb, "bomb.bmp"))).Should().Throw<UserException>().WithMessage("bomb.bmp has 60000 x 60000 pixels*");
    }

    private static SKBitmap Picture(int width, int height, byte ground, params (int X, int Y, int Width, int Height, byte Ink)[] boxes)
    {
        var picture = new SKBitmap(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque));
        using var canvas = new SKCanvas(picture);
        canvas.Clear(new SKColor(ground, ground, ground));
        foreach (var (x, y, w, h, ink) in boxes)
        {
            using var paint = new SKPaint { Color = new SKColor(ink, ink, ink) };
            canvas.DrawRect(x, y, w, h, paint);
        }

        return picture;
    }

    private static byte[] Bytes(SKBitmap picture, SKEncodedImageFormat format)
    {
        using var data = picture.Encode(format, 95);
        return data.ToArray();
    }
}
