using SkiaSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Reports;

public class ReconstructionSheetTests
{
    [Fact]
    public void ReconstructionSheet_Digits_ShowsThemInTheFirstHalfOfEachFrame()
    {
        using var folder = new TemporaryFolder();
        using var dataset = SmallDigits.Create(10, 60, size: 28);
        using var network = new CapsNet(new ImageShape(1, 28, 28), 10);
        var path = Path.Combine(folder.Path, "sheet.png");
        ReconstructionSheet.Write(path, network, dataset.Test, CPU);

        using var picture = SKBitmap.Decode(path);
        (picture.Width, picture.Height).Should().Be((8 + 8 * (116 + 8), 8 + 6 * (60 + 8)));
        var labels = dataset.Test.Labels.data<long>().ToArray();
        var first = Array.IndexOf(labels, 0);      // the first image shown is the first of class 0
        for (var y = 0; y < 28; y++)
        {
            for (var x = 0; x < 28; x++)
            {
                picture.GetPixel(8 + 2 + 2 * x, 8 + 2 + 2 * y).Red.Should().Be(dataset.Test.Images[first, 0, y, x].item<byte>());
            }
        }
    }
}
