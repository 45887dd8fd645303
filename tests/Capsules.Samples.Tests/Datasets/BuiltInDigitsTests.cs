using System.Security.Cryptography;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests;

public class BuiltInDigitsTests
{
    [Fact]
    public void BuiltInDigits_Create_GivesBytesOfMnistsShape()
    {
        using var digits = BuiltInDigits.Create(train: 30, test: 20);

        digits.Name.Should().Be("builtin");
        digits.Source.Should().Be("generated, seed 2017");
        digits.ClassNames.Should().Equal("0", "1", "2", "3", "4", "5", "6", "7", "8", "9");
        (digits.Shape, digits.Classes).Should().Be((new ImageShape(1, 28, 28), 10));
        digits.Train.Images.shape.Should().Equal(30, 1, 28, 28);
        digits.Train.Images.dtype.Should().Be(ScalarType.Byte);
        digits.Train.Labels.shape.Should().Equal(30);
        digits.Train.Labels.dtype.Should().Be(ScalarType.Int64);
        digits.Test.Count.Should().Be(20);
    }

    // The same on every platform: a change here changes the sample's published figures.
    [Fact]
    public void BuiltInDigits_DefaultSeed_GivesTheKnownPixels()
    {
        using var digits = BuiltInDigits.Create(train: 1000, test: 1000);

        digits.Train.Labels.data<long>().Take(10).Should().Equal(3, 1, 7, 5, 0, 6, 8, 4, 2, 9);
        new[] { Sha256(digits.Train.Images), Sha256(digits.Test.Images) }.Should().Equal(
            "81bfd92a628f4978d97485f571ef488d6041e498ca1ee7b0028052159bbc26bc",
            "d06e7215950159c6e9a63a6aafbf07a6c695ff0b17162ab3bdcca0b1597c9a4c");
    }

    [Fact]
    public void BuiltInDigits_LargerPart_BeginsWithTheSmallerOne()
    {
        using var small = BuiltInDigits.Create(train: 13, test: 7);
        using var large = BuiltInDigits.Create(train: 40, test: 30);

        large.Train.Images.bytes[..(13 * 784)].SequenceEqual(small.Train.Images.bytes).Should().BeTrue();
        large.Test.Images.bytes[..(7 * 784)].SequenceEqual(small.Test.Images.bytes).Should().BeTrue();
        large.Train.Labels.data<long>().Take(13).Should().Equal(small.Train.Labels.data<long>());
    }

    [Fact]
    public void BuiltInDigits_OtherSeedOrPart_GivesOtherImages()
    {
        using var one = BuiltInDigits.Create(train: 50, test: 50, seed: 1);
        using var two = BuiltInDigits.Create(train: 50, test: 50, seed: 2);

        var all = new[] { one.Train, one.Test, two.Train, two.Test }.SelectMany(Images);
        all.Distinct().Should().HaveCount(200);

        static IEnumerable<string> Images(ImageSplit split)
        {
            var pixels = split.Images.bytes.ToArray();
            return pixels.Chunk(784).Select(Convert.ToHexString);
        }
    }

    [Fact]
    public void BuiltInDigits_AnyPart_HoldsTheDigitsEquallyOften()
    {
        using var digits = BuiltInDigits.Create(train: 300, test: 100);

        digits.Train.Labels.data<long>().GroupBy(label => label).Should().HaveCount(10).And.OnlyContain(group => group.Count() == 30);
        digits.Test.Labels.data<long>().GroupBy(label => label).Should().HaveCount(10).And.OnlyContain(group => group.Count() == 10);
        digits.Train.Labels.data<long>().Chunk(10).Select(ten => string.Join("", ten)).Distinct().Should().HaveCountGreaterThan(25);
    }

    [Fact]
    public void BuiltInDigits_EveryImage_IsCentredInkOnBlack()
    {
        using var scope = NewDisposeScope();
        using var digits = BuiltInDigits.Create(train: 2000, test: 1);

        var images = digits.Train.Images.to(ScalarType.Float32) / 255; // (N, 1, 28, 28)
        var ink = images.sum([1, 2, 3]);
        var pixel = arange(28) + 0.5f;
        var centreX = (images * pixel).sum([1, 2, 3]) / ink;
        var centreY = (images * pixel.unsqueeze(1)).sum([1, 2, 3]) / ink;

        ink.min().item<float>().Should().BeGreaterThan(20);
        ink.max().item<float>().Should().BeLessThan(300);
        (centreX - 14).abs().max().item<float>().Should().BeLessThan(2);
        (centreY - 14).abs().max().item<float>().Should().BeLessThan(2);
        images.amax([1, 2, 3]).min().item<float>().Should().BeGreaterThan(0.6f);

        // MNIST's mean is 0.131 and its standard deviation 0.308.
        images.mean().item<float>().Should().BeInRange(0.11f, 0.15f);
        images.std().item<float>().Should().BeInRange(0.27f, 0.33f);
    }

    [Fact]
    public void BuiltInDigits_NearestClassMean_TellsHeldOutDigitsApart()
    {
        using var scope = NewDisposeScope();
        using var digits = BuiltInDigits.Create(train: 2000, test: 1000);

        NearestMeanAccuracy(digits.Train, digits.Test).Should().BeInRange(0.75, 0.97, "readable, but not so uniform that nothing is left to learn");
    }

    [Fact]
    public void BuiltInDigits_NearestClassMean_RecognisesRealDigits()
    {
        var folder = RealMnist.FolderOrSkip();
        using var scope = NewDisposeScope();
        using var digits = BuiltInDigits.Create(train: 2000, test: 1);
        using var mnist = Mnist.Load(folder, _ => { });

        // Trained on MNIST itself this classifier reaches 0.82; chance is 0.1.
        NearestMeanAccuracy(digits.Train, mnist.Test).Should().BeGreaterThan(0.6);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 0)]
    public void BuiltInDigits_EmptyPart_Throws(int train, int test)
    {
        var create = () => BuiltInDigits.Create(train, test);

        create.Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void BuiltInDigits_Disposed_LeavesNoTensor()
    {
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;

        using (BuiltInDigits.Create(train: 20, test: 10))
        {
            DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(before + 4);
        }

        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(before);
    }

    [Fact]
    public void BuiltInDigits_CreatedInAScope_OutlivesIt()
    {
        ImageDataset digits;
        using (NewDisposeScope())
        {
            digits = BuiltInDigits.Create(train: 10, test: 10);
        }

        digits.Train.Images.IsInvalid.Should().BeFalse();
        digits.Test.Labels.IsInvalid.Should().BeFalse();
        digits.Dispose();
    }

    private static double NearestMeanAccuracy(ImageSplit train, ImageSplit test)
    {
        var known = train.Images.to(ScalarType.Float32).flatten(1); // (N, 784)
        var means = stack(Enumerable.Range(0, 10).Select(digit => known[train.Labels == digit].mean([0L])));
        var nearest = cdist(test.Images.to(ScalarType.Float32).flatten(1), means).argmin(1);
        return (nearest == test.Labels).to(ScalarType.Float64).mean().item<double>();
    }

    private static string Sha256(Tensor images) => Convert.ToHexStringLower(SHA256.HashData(images.bytes));
}
