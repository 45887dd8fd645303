using SkiaSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Reports;

public class ReconstructionSheetTests
{
    [Fact]
    public void ReconstructionSheet_Digits_ShowsThemBesideReconstructionsInFrames()
    {
        using var folder = new TemporaryFolder();
        using var inspection = TestRun.Inspect(folder.Path, test: 60);
        var (path, test) = (Path.Combine(folder.Path, "sheet.png"), inspection.Dataset.Test);
        ReconstructionSheet.Write(path, inspection.Network, test, inspection.Dataset.ClassNames, CPU);

        using var picture = SKBitmap.Decode(path);
        picture.Width.Should().BeGreaterThanOrEqualTo(2 * PngFile.Margin + 8 * (2 * 56 + 6) + 7 * 8);

        // The first image shown is the first of class 0: its frame begins somewhere at the left, and within it every pixel is a square of 2.
        var first = test.Labels.data<long>().ToList().IndexOf(0);
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var images = Batches.Take(test, [first], CPU).Images;
        var output = inspection.Network.call(images);
        var reconstruction = Raster.OfImages(inspection.Network.Reconstruct(output))[0].Rgba;
        var isRight = inspection.Network.Scores(output).argmax(1).item<long>() == 0;
        var frame = isRight ? PictureColors.Right : PictureColors.Wrong;
        var corner = (from y in Enumerable.Range(0, picture.Height)
                      from x in Enumerable.Range(0, picture.Width)
                      where picture.GetPixel(x, y) == frame
                      select (x, y)).First();
        for (var y = 0; y < 28; y++)
        {
            for (var x = 0; x < 28; x++)
            {
                picture.GetPixel(corner.x + 3 + 2 * x, corner.y + 3 + 2 * y).Red.Should().Be(test.Images[first, 0, y, x].item<byte>());
                picture.GetPixel(corner.x + 3 + 56 + 2 * x + 1, corner.y + 3 + 2 * y + 1).Red.Should().Be(reconstruction[4 * (28 * y + x)]);
            }
        }
    }

    // Batch normalisation tells the two modes apart: in training it goes by the batch, here the images that are shown, and remembers it.
    [Fact]
    public void ReconstructionSheet_NetworkInTraining_IsDrawnAsItIsTestedAndStaysAsItWas()
    {
        using var folder = new TemporaryFolder();
        using var inspection = TestRun.Inspect(folder.Path);
        var (network, test) = (inspection.Network, inspection.Dataset.Test);
        ReconstructionSheet.Write(folder.PathOf("tested.png"), network, test, inspection.Dataset.ClassNames, CPU);
        var before = Statistics();

        network.train();
        ReconstructionSheet.Write(folder.PathOf("training.png"), network, test, inspection.Dataset.ClassNames, CPU);

        Statistics().Should().NotBeEmpty().And.Equal(before);
        network.training.Should().BeTrue();
        File.ReadAllBytes(folder.PathOf("training.png")).Should().Equal(File.ReadAllBytes(folder.PathOf("tested.png")));

        float[] Statistics() => [.. network.buffers().Where(buffer => buffer.is_floating_point()).SelectMany(buffer => buffer.data<float>().ToArray())];
    }

    [Fact]
    public void FirstOfEachClass_UnevenClasses_TakesThemInTurn() =>
        ReconstructionSheet.FirstOfEachClass([1, 1, 0, 1, 2], 4).Should().Equal(2, 0, 4, 1);
}
