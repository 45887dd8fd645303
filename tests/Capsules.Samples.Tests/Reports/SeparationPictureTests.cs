using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Reports;

public sealed class SeparationPictureTests : PictureTests
{
    [Fact]
    public void Overlay_TwoReconstructions_AreRedAndGreen()
    {
        var overlay = SeparationPicture.Overlay(tensor([1f, 0f, 1f], [1, 1, 3]), tensor([0f, 1f, 0.2f], [1, 1, 3]));
        Raster.OfImages(overlay)[0].Rgba.Should().Equal(255, 0, 0, 255, 0, 255, 0, 255, 255, 51, 0, 255);
    }

    [Fact]
    public void Absent_Pairs_IsTheFirstClassOfNeither() => SeparationPicture.Absent([0, 2], [1, 2], 10).Should().Be(3);

    [Theory]
    [InlineData(new[] { 1L, 5L }, new[] { 5L, 1L }, true)]
    [InlineData(new[] { 1L, 5L }, new[] { 1L, 4L }, false)]
    public void IsRight_Pairs_BothMustBe(long[] labels, long[] predicted, bool expected) =>
        SeparationPicture.IsRight(labels, predicted).Should().Be(expected);

    [Fact]
    public void PredictedPairs_Output_AreTheTwoLongestCapsules()
    {
        using var inspection = TestRun.Inspect(Folder);
        var capsules = zeros(1, 10, 16);
        capsules[0, 7, 3] = 0.5f;
        capsules[0, 2, 0] = 0.9f;
        capsules[0, 4, 1] = 0.3f;
        SeparationPicture.PredictedPairs(inspection.Network, capsules).data<long>().ToArray().Should().Equal(2, 7);
    }

    [Fact]
    public void SeparationPicture_PairsRightAndWrong_HasThreeParts()
    {
        using var digits = SmallDigits.Create(10, 10, size: 28);
        var test = new PairSplit(digits.Test.Images, digits.Test.Labels, 4, false, 0);
        var dataset = new ImageDataset("pairs", "made here", digits.ClassNames, test, test);
        var checkpoint = new Checkpoint(TestRun.Options, DatasetFacts.Of(dataset), new TrainingState());
        using var network = checkpoint.MakeNetwork();
        network.eval();
        var pairs = new Inspection(new TestOutput().Console, checkpoint, network, dataset, CPU, Folder);
        pairs.HasPairs.Should().BeTrue();
        var right = SeparationPicture.Of(pairs, [0, 1], []);
        var both = SeparationPicture.Of(pairs, [0, 1], [2, 3, 4]);
        var wrong = SeparationPicture.Of(pairs, [], [2, 3, 4]);
        both.Height.Should().BeGreaterThan(right.Height).And.BeGreaterThan(wrong.Height);
        pairs.Take(3).Labels.shape.Should().Equal(1, 2);
    }
}
