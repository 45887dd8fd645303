using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests;

public class ShiftAugmentationTests
{
    [Theory]
    [InlineData(1, 28, 28, 2)]
    [InlineData(3, 5, 7, 1)]
    [InlineData(2, 4, 3, 6)]
    public void Shift_AnyImages_EqualsTheSlowLoop(int channels, int height, int width, int maxShift)
    {
        using var scope = NewDisposeScope();
        var images = rand(60, channels, height, width) + 0.5f;

        var shifted = ShiftAugmentation.Shift(images, maxShift, seed: 11);

        shifted.shape.Should().Equal(images.shape);
        var (values, moved) = (images.data<float>().ToArray(), shifted.data<float>().ToArray());
        var size = channels * height * width;
        for (var image = 0; image < 60; image++)
        {
            FindShift(values.AsSpan(image * size, size), moved.AsSpan(image * size, size), channels, height, width, maxShift)
                .Should().NotBeNull("image {0} must be its original, moved and zero filled", image);
        }
    }

    [Fact]
    public void Shift_OnePixelOfInk_MovesItToEveryPlaceInReachAndNoOther()
    {
        using var scope = NewDisposeScope();
        var images = zeros(2000, 1, 9, 9);
        images[TensorIndex.Colon, 0, 4, 4] = 1;

        var shifted = ShiftAugmentation.Shift(images, 2, seed: 5);

        shifted.sum([1, 2, 3]).data<float>().Should().OnlyContain(ink => ink == 1, "no ink is lost or doubled inside the image");
        var places = shifted.sum([0L, 1]).data<float>().ToArray(); // (9, 9)
        for (var row = 0; row < 9; row++)
        {
            for (var column = 0; column < 9; column++)
            {
                var inReach = Math.Abs(row - 4) <= 2 && Math.Abs(column - 4) <= 2;
                if (inReach)
                {
                    // 2000 / 25 = 80 each, standard deviation 9.
                    places[row * 9 + column].Should().BeInRange(40, 120);
                }
                else
                {
                    places[row * 9 + column].Should().Be(0);
                }
            }
        }
    }

    [Fact]
    public void Shift_SameSeed_GivesTheSameShiftsWhateverTheGlobalGenerator()
    {
        using var scope = NewDisposeScope();
        var images = rand(50, 1, 12, 12);

        manual_seed(1);
        var first = ShiftAugmentation.Shift(images, 2, seed: 3);
        manual_seed(2);
        var again = ShiftAugmentation.Shift(images, 2, seed: 3);
        var other = ShiftAugmentation.Shift(images, 2, seed: 4);

        first.Equals(again).Should().BeTrue();
        first.Equals(other).Should().BeFalse();
    }

    [Fact]
    public void Shift_GlobalGenerator_IsNotTouched()
    {
        using var scope = NewDisposeScope();
        var images = ones(4, 1, 6, 6);
        manual_seed(9);
        var expected = rand(3).data<float>().ToArray();

        manual_seed(9);
        _ = ShiftAugmentation.Shift(images, 2, seed: 1);

        rand(3).data<float>().Should().Equal(expected);
    }

    [Fact]
    public void Shift_ByZero_GivesTheImagesAsANewTensor()
    {
        using var images = rand(4, 1, 6, 6);

        var shifted = ShiftAugmentation.Shift(images, 0, seed: 1);

        shifted.Equals(images).Should().BeTrue();
        shifted.Dispose();
        images.IsInvalid.Should().BeFalse();
    }

    [Theory]
    [InlineData(ScalarType.Byte)]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.BFloat16)]
    public void Shift_AnyType_KeepsIt(ScalarType type)
    {
        using var scope = NewDisposeScope();

        var shifted = ShiftAugmentation.Shift(ones(3, 1, 6, 6, dtype: type), 2, seed: 1);

        shifted.dtype.Should().Be(type);
    }

    [Fact]
    public void Shift_Images_StayAsTheyWere()
    {
        using var scope = NewDisposeScope();
        var images = rand(8, 1, 6, 6);
        var copy = images.clone();

        _ = ShiftAugmentation.Shift(images, 2, seed: 1);

        images.Equals(copy).Should().BeTrue();
    }

    [Fact]
    public void Shift_Twice_LeavesOnlyTheResults()
    {
        using var images = rand(8, 1, 6, 6);
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;

        var first = ShiftAugmentation.Shift(images, 2, seed: 1);
        var second = ShiftAugmentation.Shift(images, 2, seed: 2);

        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(before + 2);
        first.Dispose();
        second.Dispose();
        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(before);
    }

    [Fact]
    public void Shift_WrongRank_ThrowsWithBothShapes()
    {
        using var images = rand(8, 6, 6);

        var shift = () => ShiftAugmentation.Shift(images, 2, seed: 1);

        shift.Should().Throw<ArgumentException>().WithMessage(
            "ShiftAugmentation expected images of shape (B, C, H, W), but got (8, 6, 6).*").WithParameterName("images");
    }

    [Fact]
    public void Shift_NegativeShift_Throws()
    {
        using var images = rand(8, 1, 6, 6);

        var shift = () => ShiftAugmentation.Shift(images, -1, seed: 1);

        shift.Should().Throw<ArgumentOutOfRangeException>().WithParameterName("maxShift");
    }

    // The one shift that explains what is seen, by trying all of them pixel by pixel.
    private static (int Rows, int Columns)? FindShift(
        ReadOnlySpan<float> image, ReadOnlySpan<float> moved, int channels, int height, int width, int maxShift)
    {
        for (var rows = -maxShift; rows <= maxShift; rows++)
        {
            for (var columns = -maxShift; columns <= maxShift; columns++)
            {
                if (IsShiftedBy(image, moved, channels, height, width, rows, columns))
                {
                    return (rows, columns);
                }
            }
        }

        return null;
    }

    private static bool IsShiftedBy(
        ReadOnlySpan<float> image, ReadOnlySpan<float> moved, int channels, int height, int width, int rows, int columns)
    {
        for (var channel = 0; channel < channels; channel++)
        {
            for (var y = 0; y < height; y++)
            {
                for (var x = 0; x < width; x++)
                {
                    var (fromY, fromX) = (y - rows, x - columns);
                    var inside = fromY >= 0 && fromY < height && fromX >= 0 && fromX < width;
                    var expected = inside ? image[(channel * height + fromY) * width + fromX] : 0;
                    if (moved[(channel * height + y) * width + x] != expected)
                    {
                        return false;
                    }
                }
            }
        }

        return true;
    }
}
