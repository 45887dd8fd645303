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

    [Fact]
    public void FirstOfEachClass_UnevenClasses_TakesThemInTurn() =>
        ReconstructionSheet.FirstOfEachClass([1, 1, 0, 1, 2], 4).Should().Equal(2, 0, 4, 1);
}
