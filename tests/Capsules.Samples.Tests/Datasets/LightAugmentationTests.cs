using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests;

public class LightAugmentationTests
{
    // Without cutting, an image becomes one straight line of itself, in all channels with the same slope, within the published ranges.
    [Fact]
    public void Apply_ImagesNearGrey_StretchesEachAboutItsMeanAndMovesTheMean()
    {
        using var scope = NewDisposeScope();
        var images = 0.5f + 0.1f * (rand(500, 2, 4, 4) - 0.5f);

        var changed = LightAugmentation.Apply(images, seed: 4);

        var (before, after) = (images.mean([2, 3], keepdim: true), changed.mean([2, 3], keepdim: true));
        var shift = (after - before).flatten(1);                                                     // (B, 2): the brightness, twice
        var slope = ((changed - after) * (images - before)).sum([2, 3]) / (images - before).square().sum([2, 3]);
        (shift.select(1, 0) - shift.select(1, 1)).abs().max().item<float>().Should().BeLessThan(1e-5f);
        (slope.select(1, 0) - slope.select(1, 1)).abs().max().item<float>().Should().BeLessThan(1e-3f);
        ((changed - after) - slope.view(500, 2, 1, 1) * (images - before)).abs().max().item<float>().Should().BeLessThan(1e-5f);
        shift.min().item<float>().Should().BeInRange(-63f / 255 - 1e-5f, -0.22f);
        shift.max().item<float>().Should().BeInRange(0.22f, 63f / 255 + 1e-5f);
        slope.min().item<float>().Should().BeInRange(0.2f - 1e-3f, 0.25f);
        slope.max().item<float>().Should().BeInRange(1.75f, 1.8f + 1e-3f);
    }

    [Fact]
    public void Apply_AnyImages_StaysWithinZeroAndOne()
    {
        using var scope = NewDisposeScope();

        var changed = LightAugmentation.Apply(rand(200, 3, 5, 5), seed: 1);

        (changed.min().item<float>(), changed.max().item<float>()).Should().Be((0, 1));
    }

    [Fact]
    public void Apply_SameSeed_GivesTheSameImagesAndLeavesNoTensorsBehind()
    {
        using var scope = NewDisposeScope();
        var images = rand(20, 1, 6, 6);
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;

        var (first, again) = (LightAugmentation.Apply(images, seed: 1), LightAugmentation.Apply(images, seed: 1));

        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(before + 2);
        first.Equals(again).Should().BeTrue();
        LightAugmentation.Apply(images, seed: 2).Equals(first).Should().BeFalse();
    }

    [Fact]
    public void Apply_ImagesThatAreNone_SaysWhatItExpected()
    {
        using var wrong = zeros(2, 3, 4);
        ((Action)(() => LightAugmentation.Apply(wrong, 1))).Should().Throw<ArgumentException>()
            .WithMessage("LightAugmentation expected floating-point images of shape (B, C, H, W), but got Float32 (2, 3, 4).*");
    }
}
