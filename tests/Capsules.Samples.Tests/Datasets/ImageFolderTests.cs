using SkiaSharp;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests;

public sealed class ImageFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly List<string> _notices = [];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ImageFolder_TrainAndTest_AreTakenAsTheyAre()
    {
        Picture("train/b/1.png", SKColors.Red);
        Picture("train/a/1.png", SKColors.Lime);
        Picture("train/a/2.png", SKColors.Blue);
        Picture("test/b/1.png", SKColors.White);
        Picture("test/a/1.png", SKColors.Black);

        using var dataset = Load(new DatasetOptions());

        dataset.ClassNames.Should().Equal("a", "b");
        dataset.Train.Labels.data<long>().Should().Equal(0, 0, 1);
        dataset.Train.Images.shape.Should().Equal(3, 3, 20, 30);
        dataset.Train.Images[.., .., 3, 4].contiguous().bytes.ToArray().Should().Equal(0, 255, 0, 0, 0, 255, 255, 0, 0);
        dataset.Test.Labels.data<long>().Should().Equal(0, 1);
        dataset.IsOriginal.Should().BeFalse();
        _notices.Should().BeEmpty();
    }

    [Fact]
    public void ImageFolder_OneFolder_IsDividedAlikeEachTime()
    {
        for (var i = 0; i < 10; i++)
        {
            Picture($"a/{i}.png", SKColors.Red);
            Picture($"b/{i}.jpg", SKColors.Blue, jpeg: true);
        }

        _folder.Write("data/b/notes.txt", [1]);
        using var dataset = Load(new DatasetOptions());
        using var again = Load(new DatasetOptions());

        dataset.Fingerprint.Should().Be(again.Fingerprint);
        dataset.Train.Labels.data<long>().Should().Equal(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
        dataset.Test.Labels.data<long>().Should().Equal(0, 0, 1, 1);
        _notices.Should().Contain(notice => notice.EndsWith("4 of its 20 pictures, chosen by their names, are for testing."));
        _notices.Should().Contain(notice => notice.Contains("1 files that are no pictures by their names"));
    }

    [Fact]
    public void ImageFolder_SizeAndGrey_ScaleAndWeighColours()
    {
        Picture("a/1.png", SKColors.Red);
        Picture("a/2.png", SKColors.Red, width: 7, height: 70);
        Picture("b/1.png", SKColors.White);
        Picture("b/2.png", SKColors.White);

        using var dataset = Load(new DatasetOptions(24, Grey: true));

        dataset.Train.Images.shape.Should().Equal(2, 1, 24, 24);
        dataset.Train.Images.max().item<byte>().Should().Be(255);
        dataset.Train.Images[0].unique().Item1.data<byte>().ToArray().Should().Equal(76);      // 0.299 x 255
    }

    [Fact]
    public void ImageFolder_GreyPictures_HaveOneChannelByThemselves()
    {
        foreach (var name in (string[])["a/1.png", "a/2.png", "b/1.png", "b/2.png"])
        {
            Picture(name, new SKColor(100, 100, 100), type: SKColorType.Gray8);
        }

        using var dataset = Load(new DatasetOptions());

        dataset.Shape.Channels.Should().Be(1);
        dataset.Train.Images[0, 0, 0, 0].item<byte>().Should().Be(100);
    }

    // As predict shows it: on a ground that the ink stands out from, here white.
    [Fact]
    public void ImageFolder_TransparentPictures_AreOpaque()
    {
        foreach (var name in (string[])["a/1.png", "a/2.png", "b/1.png", "b/2.png"])
        {
            Picture(name, new SKColor(0, 0, 0, 51));
        }

        using var dataset = Load(new DatasetOptions());

        dataset.Train.Images.unique().Item1.data<byte>().ToArray().Should().Equal(204);      // a fifth of the way from white to black
    }

    [Fact]
    public void ImageFolder_PictureThatIsNone_IsNamed()
    {
        Picture("a/1.png", SKColors.Red);
        Picture("a/2.png", SKColors.Red);
        Picture("b/1.png", SKColors.Red);
        var bad = _folder.Write("data/b/2.png", "no picture"u8.ToArray());

        Error(new DatasetOptions()).Should().StartWith($"{bad} is not a picture that can be read whole.");
    }

    [Fact]
    public void ImageFolder_PictureCutShort_IsNamed()
    {
        Picture("a/1.png", SKColors.Red);
        Picture("a/2.png", SKColors.Red);
        Picture("b/1.png", SKColors.Red);
        var whole = File.ReadAllBytes(Picture("b/2.png", SKColors.Red));
        var bad = _folder.Write("data/b/2.png", whole[..(whole.Length / 2)]);

        Error(new DatasetOptions()).Should().StartWith($"{bad} is not a picture that can be read whole.");
    }

    [Fact]
    public void ImageFolder_WrongLayouts_AreExplained()
    {
        Error(new DatasetOptions()).Should().EndWith("there is no such folder.");
        Picture("a/1.png", SKColors.Red);
        Error(new DatasetOptions()).Should().Contain("holds 1 folders, but expected were 2 to 256, one for each class");
        Picture("b/1.png", SKColors.Red, width: 10);
        Error(new DatasetOptions()).Should().Contain("holds one picture, but at least two are needed");
        Picture("a/2.png", SKColors.Red);
        Picture("b/2.png", SKColors.Red);
        Error(new DatasetOptions()).Should().Contain("Give the size that all are scaled to with --image-size.");
        Directory.CreateDirectory(_folder.PathOf("data", "c"));
        Error(new DatasetOptions(20)).Should().Contain("holds no pictures (.png, .jpg, .jpeg, .bmp, .webp). Every class needs some.");
    }

    private string Picture(string name, SKColor color, int width = 30, int height = 20, bool jpeg = false, SKColorType type = SKColorType.Rgba8888)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(width, height, type, type == SKColorType.Gray8 ? SKAlphaType.Opaque : SKAlphaType.Unpremul));
        bitmap.Erase(color);
        using var data = bitmap.Encode(jpeg ? SKEncodedImageFormat.Jpeg : SKEncodedImageFormat.Png, 100);
        return _folder.Write(Path.Combine("data", name), data.ToArray());
    }

    private ImageDataset Load(DatasetOptions options) => ImageFolder.Load(_folder.PathOf("data"), options, _notices.Add);

    private string Error(DatasetOptions options) => ((Action)(() => Load(options))).Should().Throw<UserException>().Which.Message;
}
