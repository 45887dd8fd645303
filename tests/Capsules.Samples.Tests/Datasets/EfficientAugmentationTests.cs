using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests;

public class EfficientAugmentationTests
{
    [Fact]
    public void Rotate_ByNinetyDegrees_TurnsCounterClockwiseAboutTheMiddleOfThePixelGrid()
    {
        using var scope = NewDisposeScope();
        var image = zeros(1, 1, 28, 28);
        image[0, 0, 14, 20] = 1;      // six to the right of (14, 14)
        var turned = EfficientAugmentation.Rotate(image, [90]);
        turned[0, 0, 8, 14].item<float>().Should().BeApproximately(1, 1e-4f, "six above it");
        turned.sum().item<float>().Should().BeApproximately(1, 1e-4f);
    }

    [Theory]
    [InlineData(28, 28, 17)]
    [InlineData(14, 20, -29)]
    public void Rotate_AnyAngle_SamplesBilinearlyWhatTheFormulaSays(int height, int width, double degrees)
    {
        using var scope = NewDisposeScope();
        var image = rand([1, 1, height, width], float64);
        var turned = EfficientAugmentation.Rotate(image, [degrees]);
        var (sin, cos) = Math.SinCos(degrees * Math.PI / 180);
        var (middleX, middleY) = (width / 2.0, height / 2.0);
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
            {
                // Backwards: where a pixel of the result comes from, y pointing down.
                var (fromX, fromY) = (cos * (x - middleX) - sin * (y - middleY) + middleX, sin * (x - middleX) + cos * (y - middleY) + middleY);
                turned[0, 0, y, x].item<double>().Should().BeApproximately(Bilinear(image, fromX, fromY), 1e-4);      // the grid is float32
            }
        }
    }

    [Fact]
    public void Rotate_ByZero_KeepsEveryBit()
    {
        using var scope = NewDisposeScope();
        var images = rand(3, 1, 28, 28);
        var turned = EfficientAugmentation.Rotate(images, [0, 12, 0]);
        turned[0].Equals(images[0]).Should().BeTrue();
        turned[1].Equals(images[1]).Should().BeFalse();
        turned[2].Equals(images[2]).Should().BeTrue();
    }

    // Ink in rows 3 to 5 and columns 6 to 7 of 12 x 14: 3 rows above and 6 below, 6 columns to the left and to the right.
    [Theory]
    [InlineData(0, 0, 0, 0, 0, 0)]
    [InlineData(0, .5, 0, .5, -3, -2)]        // floor(-.5 * 6), floor(-.5 * 3)
    [InlineData(1, .5, 1, .5, 3, 3)]          // floor(.5 * 7), floor(.5 * 7)
    [InlineData(0, .9999, 0, .9999, -6, -3)]
    [InlineData(1, .9999, 1, .9999, 6, 6)]
    [InlineData(0, .01, 1, .01, -1, 0)]       // floor rounds away from zero on one side only, as in the authors' code
    public void ShiftKeepingInk_Shares_MoveByThatShareOfTheRoom(double right, double shareX, double down, double shareY, int columns, int rows)
    {
        using var scope = NewDisposeScope();
        var image = zeros(1, 2, 12, 14);
        image.narrow(2, 3, 3).narrow(3, 6, 2).copy_(rand(1, 2, 3, 2) + 0.1f);
        var shifted = EfficientAugmentation.ShiftKeepingInk(image, tensor([right, shareX, down, shareY], [1, 4]));
        shifted.Equals(image.roll([rows, columns], [2, 3])).Should().BeTrue();
        shifted.narrow(2, 3 + rows, 3).narrow(3, 6 + columns, 2).Equals(image.narrow(2, 3, 3).narrow(3, 6, 2)).Should().BeTrue("no ink is lost");
    }

    [Fact]
    public void ShiftKeepingInk_NoInkAtAll_StaysEmpty()
    {
        using var scope = NewDisposeScope();
        var shifted = EfficientAugmentation.ShiftKeepingInk(zeros(2, 1, 12, 12), tensor([1.0, .9, 1, .9, 0, .9, 0, .9], [2, 4]));
        shifted.abs().sum().item<float>().Should().Be(0);
    }

    [Fact]
    public void SquishMatrices_OfAConstantRow_AreConstantWhereTheNarrowerRowIsAndZeroBeside()
    {
        var matrices = SquishMatrices.Of(28);
        matrices.Should().HaveCount(14 * 28 * 28);
        for (var index = 0; index < 14; index++)
        {
            var narrow = 28 - (index / 2 + 1);
            var first = (index / 2 + 1) / 2 + index % 2;
            for (var column = 0; column < 28; column++)
            {
                var sum = Enumerable.Range(0, 28).Sum(row => (double)matrices[(index * 28 + row) * 28 + column]);
                sum.Should().BeApproximately(column >= first && column < first + narrow ? 1 : 0, 1e-6, $"matrix {index}, column {column}");
            }
        }
    }

    // Pixel 0 of 24 from 28: the kernel is stretched by 28 / 24 and centred on 0.583. The weights before they are scaled to sum 1,
    // by the definition of the Lanczos kernel.
    [Fact]
    public void SquishMatrices_FirstPixel_HasTheWeightsOfTheDefinition()
    {
        const double Scale = 28.0 / 24;
        double[] weights = [.. Enumerable.Range(0, 4).Select(pixel => (pixel + 0.5 - 0.5 * Scale) / Scale)
            .Select(x => 3 * Math.Sin(Math.PI * x) * Math.Sin(Math.PI * x / 3) / (Math.PI * Math.PI * x * x))];
        var matrices = SquishMatrices.Of(28);
        var index = 2 * (4 - 1);      // narrower by 4, no offset: the row starts at column 2
        for (var pixel = 0; pixel < 4; pixel++)
        {
            matrices[(index * 28 + pixel) * 28 + 2].Should().BeApproximately((float)(weights[pixel] / weights.Sum()), 1e-6f);
        }

        matrices[(index * 28 + 4) * 28 + 2].Should().Be(0, "the kernel ends at three stretched pixels");
    }

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(0, .5, 1)]
    [InlineData(.3, .4, 2 * 2)]           // floor(.3 * 7) + 1 = 3
    [InlineData(.9999, .9999, 13)]
    public void SquishMatrices_Index_IsFloorOfSevenSharesPlusOneAndTheOffset(double narrowing, double offset, long index) =>
        SquishMatrices.Index(28, narrowing, offset).Should().Be(index);

    [Fact]
    public void Squish_SymmetricImages_StaySymmetricWhenNarrowedByAnEvenNumber()
    {
        using var scope = NewDisposeScope();
        var half = rand(1, 1, 5, 14);
        var image = cat([half, half.flip(3)], dim: 3);
        var squished = EfficientAugmentation.Squish(image, tensor([2L * (6 - 1)]));
        squished.sub(squished.flip(3)).abs().max().item<float>().Should().BeLessThan(1e-5f);
        squished.narrow(3, 0, 3).abs().max().item<float>().Should().Be(0);
        squished.sum().item<float>().Should().BeApproximately(image.sum().item<float>() * 22 / 28, 0.4f);
    }

    [Fact]
    public void Erase_ABlock_SetsItAndNothingElseToZero()
    {
        using var scope = NewDisposeScope();
        var images = rand(2, 3, 10, 12) + 0.5f;
        var erased = EfficientAugmentation.Erase(images, tensor([4L, 5, 0, 8], [2, 2]));
        var expected = images.clone();
        expected[0].narrow(1, 4, 4).narrow(2, 5, 4).zero_();
        expected[1].narrow(1, 0, 4).narrow(2, 8, 4).zero_();
        erased.Equals(expected).Should().BeTrue();
    }

    // Of a full square of 20 x 20 a quarter of the width and the block of 16 pixels may go, and no more.
    [Fact]
    public void Apply_ManyImages_TakesAsMuchInkAsItMayAndNoMore()
    {
        using var scope = NewDisposeScope();
        var images = zeros(4000, 1, 28, 28);
        images.narrow(2, 4, 20).narrow(3, 4, 20).fill_(1);
        var augmented = EfficientAugmentation.Apply(images, seed: 5);
        augmented.shape.Should().Equal(4000, 1, 28, 28);
        augmented.isfinite().all().item<bool>().Should().BeTrue();

        var ink = augmented.sum([1, 2, 3]);
        ink.min().item<float>().Should().BeInRange(400 * 21 / 28 - 17, 400 * 22 / 28);
        ink.max().item<float>().Should().BeInRange(400 * 27 / 28 - 16, 400 * 27 / 28 + 2);
    }

    [Fact]
    public void Apply_SameSeed_GivesTheSameImagesWhateverTheGlobalGenerator()
    {
        using var scope = NewDisposeScope();
        var images = rand(20, 1, 28, 28);
        manual_seed(1);
        var first = EfficientAugmentation.Apply(images, seed: 3);
        manual_seed(2);
        var again = EfficientAugmentation.Apply(images, seed: 3);
        first.Equals(again).Should().BeTrue();
        first.Equals(EfficientAugmentation.Apply(images, seed: 4)).Should().BeFalse();
    }

    [Fact]
    public void Apply_Images_AreFourStepsInOrderAndStayAsTheyWere()
    {
        using var scope = NewDisposeScope();
        var images = rand(1, 1, 28, 28);
        var copy = images.clone();
        var augmented = EfficientAugmentation.Apply(images, seed: 7);

        var random = new DeterministicRandom(7);
        double Normal() => Math.Clamp(0.33 * random.NextNormal(), -0.9999, 0.9999);
        var angle = Math.Truncate(30 * Normal());
        angle = random.NextDouble() < 0.5 ? angle : 0;
        double[] shifts = [random.NextInt32(2), Math.Abs(Normal()), random.NextInt32(2), Math.Abs(Normal())];
        var squish = SquishMatrices.Index(28, Math.Abs(Normal()), Math.Abs(Normal()));
        long[] block = [4 + random.NextInt32(19), 4 + random.NextInt32(19)];
        var expected = EfficientAugmentation.Erase(
            EfficientAugmentation.Squish(
                EfficientAugmentation.ShiftKeepingInk(EfficientAugmentation.Rotate(images, [angle]), tensor(shifts, [1, 4])),
                tensor([squish])),
            tensor(block, [1, 2]));
        augmented.Equals(expected).Should().BeTrue();
        images.Equals(copy).Should().BeTrue();
    }

    [Fact]
    public void Apply_Twice_LeavesOnlyTheResults()
    {
        using var images = rand(8, 1, 28, 28);
        EfficientAugmentation.Apply(images, seed: 1).Dispose();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        using var first = EfficientAugmentation.Apply(images, seed: 1);
        using var second = EfficientAugmentation.Apply(images, seed: 2);
        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(before + 2);
    }

    [Fact]
    public void Apply_ImagesTooSmallOrOfBytes_Throws()
    {
        using var scope = NewDisposeScope();
        ((Action)(() => EfficientAugmentation.Apply(rand(2, 1, 9, 28), 1))).Should().Throw<ArgumentException>()
            .WithMessage("EfficientAugmentation expected floating-point images of shape (B, C, H, W), at least 10 x 10, but got Float32 (2, 1, 9, 28).*");
        ((Action)(() => EfficientAugmentation.Apply(zeros(2, 1, 28, 28, dtype: uint8), 1))).Should().Throw<ArgumentException>()
            .WithMessage("*but got Byte (2, 1, 28, 28).*");
    }

    private static double Bilinear(Tensor image, double x, double y)
    {
        var (left, top) = ((long)Math.Floor(x), (long)Math.Floor(y));
        double At(long column, long row) =>
            column >= 0 && column < image.size(3) && row >= 0 && row < image.size(2) ? image[0, 0, row, column].item<double>() : 0;
        var (fx, fy) = (x - left, y - top);
        return (1 - fy) * ((1 - fx) * At(left, top) + fx * At(left + 1, top)) + fy * ((1 - fx) * At(left, top + 1) + fx * At(left + 1, top + 1));
    }
}
