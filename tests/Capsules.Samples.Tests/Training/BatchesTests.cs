using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Training;

public class BatchesTests
{
    [Fact]
    public void HoldOut_Always_PartsTheImagesWithoutOverlap()
    {
        var (heldOut, training) = Batches.HoldOut(1000, 80, seed: 1);
        heldOut.Should().HaveCount(80);
        heldOut.Concat(training).Order().Should().Equal(Batches.InOrder(1000));
        Batches.HoldOut(1000, 80, seed: 1).HeldOut.Should().Equal(heldOut);
        Batches.HoldOut(1000, 80, seed: 2).HeldOut.Should().NotEqual(heldOut);
    }

    [Fact]
    public void HoldOut_MoreThanATenth_TakesATenth() => Batches.HoldOut(1000, 5000, seed: 1).HeldOut.Should().HaveCount(100);

    [Fact]
    public void Order_EveryEpoch_IsAnotherOrderOfTheSameImages()
    {
        long[] training = [3, 5, 8, 13, 21, 34, 55, 89];
        var (one, two) = (Batches.Order(training, seed: 1, epoch: 1), Batches.Order(training, seed: 1, epoch: 2));
        one.Order().Should().Equal(training);
        one.Should().NotEqual(two);
        Batches.Order(training, seed: 1, epoch: 1).Should().Equal(one);
    }

    [Fact]
    public void Take_Indices_GivesThoseImagesInZeroToOne()
    {
        using var scope = NewDisposeScope();
        using var dataset = SmallDigits.Create(10, 10, size: 28);
        var (images, labels) = Batches.Take(dataset.Train, [7, 2], CPU);
        images.dtype.Should().Be(ScalarType.Float32);
        images.shape.Should().Equal(2, 1, 28, 28);
        images[0].mul(255).round().to(uint8).Equals(dataset.Train.Images[7]).Should().BeTrue();
        labels.data<long>().ToArray().Should().Equal(dataset.Train.Labels[7].item<long>(), dataset.Train.Labels[2].item<long>());
    }
}
