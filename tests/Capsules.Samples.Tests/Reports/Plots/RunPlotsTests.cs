using SkiaSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Reports.Plots;

public sealed class RunPlotsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void RunPlots_AFewEpochs_DrawsCurvesInTheirColours()
    {
        var history = Enumerable.Range(1, 4).Select(epoch => new EpochResult(epoch, 0.5 / epoch, 1 - 0.2 / epoch, 1 - 0.1 / epoch, 1e-3, 10)
        {
            ClassLoss = 0.3 / epoch, ValidationLoss = 0.2 / epoch,
        }).ToList();
        RunPlots.Write(_folder.Path, "a network on images", new TrainingOptions(), history, stepsInEpoch: 5, [.. Enumerable.Range(0, 20).Select(i => 1 / (i + 1.0))]);

        _folder.FileNames.Should().BeEquivalentTo("loss.png", "accuracy.png", "learning-rate.png");
        foreach (var (name, colours) in ((string, string[])[])[("loss", ["#1f5fa8", "#3a9d5d", "#d9480f"]), ("accuracy", ["#1f5fa8", "#d9480f"]), ("learning-rate", ["#1f5fa8"])])
        {
            using var picture = SKBitmap.Decode(_folder.PathOf($"{name}.png"));
            picture.Width.Should().Be(900);
            var seen = picture.Pixels.GroupBy(pixel => pixel).ToDictionary(group => group.Key, group => group.Count());
            foreach (var colour in colours)
            {
                seen.GetValueOrDefault(SKColor.Parse(colour)).Should().BeGreaterThan(100, $"{name} has a curve in {colour}");
            }
        }
    }

    [Fact]
    public void RunPlots_OneEpochWithNothingHeldOut_DrawsWhatThereIs()
    {
        RunPlots.Write(_folder.Path, "quick", new TrainingOptions { Validation = 0, ReconstructionWeight = 0 }, [new EpochResult(1, 0.5, 0.9, null, 1e-3, 10)], 3, []);
        _folder.FileNames.Should().HaveCount(3);
    }

    [Fact]
    public void ConfusionMatrix_Batches_CountsAndSharesByRow()
    {
        var matrix = new ConfusionMatrix(3);
        using (var scope = NewDisposeScope())
        {
            matrix.Add(tensor([0L, 0, 1, 2]), tensor([0L, 2, 1, 2]));
            matrix.Add(tensor([0L, 0]), tensor([0L, 0]));
        }

        (matrix[0, 0], matrix[0, 2], matrix[1, 1], matrix[2, 2], matrix[2, 0]).Should().Be((3, 1, 1, 1, 0));
        (matrix.Images(0), matrix.Share(0, 2)).Should().Be((4, 0.25));
    }

    // Class 0 is the first row, and what it is read as goes by columns: the one confusion, 0 read as 2, is up on the right.
    [Fact]
    public void ConfusionPlot_OneConfusion_IsOrangeInTheRowOfItsClass()
    {
        var matrix = new ConfusionMatrix(3);
        using (var scope = NewDisposeScope())
        {
            matrix.Add(tensor([0L, 0, 1, 2]), tensor([0L, 2, 1, 2]));
        }

        ConfusionPlot.Write(_folder.PathOf("c.png"), matrix, ["cat", "dog", "a long name"], "test");
        using var picture = SKBitmap.Decode(_folder.PathOf("c.png"));
        var (orange, blue) = (Places(picture, "#d9480f"), Places(picture, "#1f5fa8"));
        orange.Should().NotBeEmpty();
        orange.Min(place => place.X).Should().BeGreaterThan(picture.Width / 2);
        orange.Max(place => place.Y).Should().BeLessThan(picture.Height / 2);
        blue.Should().Contain(place => place.X > picture.Width / 2 && place.Y > picture.Height / 2).And.Contain(place => place.X < picture.Width / 2);
    }

    private static List<(int X, int Y)> Places(SKBitmap picture, string colour)
    {
        var (wanted, pixels) = (SKColor.Parse(colour), picture.Pixels);
        return [.. Enumerable.Range(0, pixels.Length).Where(i => pixels[i] == wanted).Select(i => (i % picture.Width, i / picture.Width))];
    }
}
