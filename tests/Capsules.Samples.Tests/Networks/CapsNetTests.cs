using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Networks;

public class CapsNetTests
{
    [Theory]
    [InlineData(28, Preset.Paper, true, 8_215_568)]
    [InlineData(28, Preset.Paper, false, 6_804_224)]
    [InlineData(28, Preset.OfficialCode, true, 8_215_728)]
    [InlineData(36, Preset.Paper, true, 11_361_808)]
    public void CapsNet_Parameters_AreAsManyAsPublished(int size, Preset preset, bool decoder, long expected)
    {
        using var network = new CapsNet(new ImageShape(1, size, size), classes: 10, preset: preset, withDecoder: decoder);
        network.parameters().Sum(p => p.numel()).Should().Be(expected);
    }

    [Fact]
    public void CapsNet_StateDict_HasStableNames()
    {
        using var network = new CapsNet(new ImageShape(1, 28, 28), classes: 10, preset: Preset.OfficialCode);
        network.state_dict().Keys.Should().Equal(
            "conv1.weight", "conv1.bias", "primary.weight", "primary.bias", "digits.weight", "digits.bias",
            "decoder.layers.0.weight", "decoder.layers.0.bias", "decoder.layers.1.weight", "decoder.layers.1.bias",
            "decoder.layers.2.weight", "decoder.layers.2.bias");
    }

    [Theory]
    [InlineData(3, 32, 24, 5)]
    [InlineData(1, 17, 17, 2)]
    public void CapsNet_OtherSizesChannelsAndClasses_Work(int channels, int height, int width, int classes)
    {
        using var scope = NewDisposeScope();
        using var network = new CapsNet(new ImageShape(channels, height, width), classes);
        var images = rand(2, channels, height, width);
        var capsules = network.call(images);
        capsules.shape.Should().Equal(2, classes, 16);
        network.Reconstruct(capsules).shape.Should().Equal(2, channels, height, width);
        network.Predict(images).shape.Should().Equal(2);
    }

    [Fact]
    public void CapsNet_OfficialCode_DrawsItsFirstConvolutionTruncated()
    {
        using var network = new CapsNet(new ImageShape(1, 28, 28), classes: 10, preset: Preset.OfficialCode);
        var state = network.state_dict();
        state["conv1.weight"].abs().max().item<float>().Should().BeInRange(0.09f, 0.1f + 1e-6f);
        state["conv1.bias"].sub(0.1).abs().max().item<float>().Should().BeLessThan(1e-7f);
        state["digits.bias"].sub(0.1).abs().max().item<float>().Should().BeLessThan(1e-7f);
    }

    [Fact]
    public void CapsNet_ImagesTooSmall_SaysHowLargeTheyMustBe() =>
        ((Action)(() => new CapsNet(new ImageShape(1, 16, 28), classes: 10))).Should().Throw<UserException>()
            .WithMessage("CapsNet's two 9 x 9 convolutions need images of at least 17 x 17 pixels, but these are 16 x 28. Enlarge the images.");
}
