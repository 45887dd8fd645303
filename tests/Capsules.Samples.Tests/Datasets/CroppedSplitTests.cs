using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests;

public sealed class CroppedSplitTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // 4 x 5 pixels in windows of 3 x 3: 2 x 3 places, of which the middle one begins at row 0 and column 1.
    [Fact]
    public void Take_EveryAddress_IsTheWindowAtItsPlaceAndTheMiddleOneFirst()
    {
        using var scope = NewDisposeScope();
        using var split = Numbered(images: 2, channels: 2, height: 4, width: 5, everywhere: true);
        split.Variations.Should().Be(6);
        split.Shape.Should().Be(new ImageShape(2, 3, 3));

        var (images, labels) = split.Take([.. Enumerable.Range(0, 12).Select(i => (long)i)]);

        images.shape.Should().Equal(12, 2, 3, 3);
        labels.data<long>().Should().Equal(0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1);
        var (rows, columns) = ((int[])[0, 0, 1, 1, 1, 0], (int[])[1, 2, 0, 1, 2, 0]);
        for (var address = 0; address < 12; address++)
        {
            var variation = address / 2;
            using var window = split.Images[address % 2].narrow(1, rows[variation], 3).narrow(2, columns[variation], 3).contiguous();
            images[address].contiguous().bytes.ToArray().Should().Equal(window.bytes.ToArray(), $"address {address}");
        }
    }

    [Fact]
    public void AsTested_IsTheMiddleAlone()
    {
        using var scope = NewDisposeScope();
        using var split = Numbered(images: 1, channels: 1, height: 8, width: 8, everywhere: true);

        var tested = split.AsTested;

        tested.Variations.Should().Be(1);
        using var middle = split.Images.narrow(2, 2, 3).narrow(3, 2, 3).contiguous();
        tested.Take([0]).Images.contiguous().bytes.ToArray().Should().Equal(middle.bytes.ToArray());
        ((Action)(() => tested.Take([1]))).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void Take_Repeated_LeavesNoTensorsBehind()
    {
        using var scope = NewDisposeScope();
        using var split = Numbered(images: 2, channels: 3, height: 6, width: 6, everywhere: true);
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;

        var batch = split.Take([0, 5]);

        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(before + 2);
        batch.Select(tensor => { tensor.Dispose(); return tensor; });
    }

    [Fact]
    public async Task Crop_OfADataset_CropsBothPartsAndIsNotTheOriginalAnyMore()
    {
        SmallFiles.Write(_folder, "cifar10");
        using var whole = await Open("cifar10", new DatasetOptions());
        using var cropped = await Open("cifar10", new DatasetOptions(Crop: 24));

        cropped.Shape.Should().Be(new ImageShape(3, 24, 24));
        cropped.Train.Variations.Should().Be(81);
        cropped.Test.Variations.Should().Be(1);
        cropped.IsOriginal.Should().BeFalse();
        cropped.Fingerprint.Should().NotBe(whole.Fingerprint);
        var facts = DatasetFacts.Of(cropped);
        facts.OptionsFor("cifar10").Should().Be(new DatasetOptions(Crop: 24));
        DatasetFacts.Of(whole).OptionsFor("cifar10").Should().Be(new DatasetOptions());
    }

    // The images are scaled before they are cropped: both sizes have to be found again.
    [Fact]
    public async Task Facts_OfScaledAndCroppedImages_OpenTheSameAgain()
    {
        SmallFiles.Write(_folder, "smallnorb");
        var options = new DatasetOptions(ImageSize: 48, Crop: 32);
        using var dataset = await Open("smallnorb", options);

        DatasetFacts.Of(dataset).OptionsFor("smallnorb").Should().Be(options);
    }

    [Fact]
    public async Task Crop_OfMadeImages_IsRefusedAndFreesThem()
    {
        SmallDigits.WriteMnist(_folder);

        await ((Func<Task>)(() => Open("affnist-like", new DatasetOptions(Crop: 20)))).Should().ThrowAsync<UserException>()
            .WithMessage("--crop is for stored images, and those of affnist-like are made when asked for. Leave it out.");
    }

    // From the command line: windows in training, the middle in the test, and the run's size is found again by evaluate and --resume.
    [Fact]
    public async Task Train_WithCrop_IsEvaluatedAndResumedOnItsWindows()
    {
        var (data, runs) = (SmallDigits.WriteMnist(_folder), _folder.PathOf("runs"));
        var (code, output, error) = await TestRun.CommandLine("train", "--dataset", "mnist", "--data", data, "--output", runs, "--model", "efficient",
            "--crop", "24", "--augmentation", "light", "--epochs", "1", "--batch-size", "20");
        (code, error).Should().Be((0, ""), output);
        var run = Directory.GetDirectories(runs).Single();
        RunFolder.Open(run).Describe().Dataset.Image.Should().Be(new ImageShape(1, 24, 24));

        (await TestRun.CommandLine("evaluate", run, "--data", data)).Code.Should().Be(0);
        (await TestRun.CommandLine("train", "--resume", run, "--data", data, "--epochs", "2")).Code.Should().Be(0);
    }

    private async Task<ImageDataset> Open(string name, DatasetOptions options)
    {
        using var download = new DatasetDownload();
        var catalog = new DatasetCatalog(new DataFolders(_folder.PathOf("data"), null, null), download, _ => { });
        return await catalog.OpenAsync(name, options, TestContext.Current.CancellationToken);
    }

    // Every pixel another value; image i has the label i.
    private static CroppedSplit Numbered(int images, int channels, int height, int width, bool everywhere)
    {
        var pixels = SmallFiles.Ramp(images * channels * height * width);
        var split = ImageSplit.FromArrays(pixels, SmallFiles.Ramp(images), channels, height, width);
        return new CroppedSplit(split.Images, split.Labels, Size: 3, everywhere);
    }
}
