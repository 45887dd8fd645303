using static TorchSharp.torch;

namespace Capsules.Tests.Decoders;

public class ConvolutionalDecoderTests
{
    // Grid 8 x 8 x 16 of 32 numbers, then 3 x 3 kernels 16-64-32-16-8-3, each with its biases.
    [Fact]
    public void ConvolutionalDecoder_DeepCapsSizes_HasItsParameters()
    {
        using var decoder = new ConvolutionalDecoder(10, 32, [3, 64, 64]);
        decoder.parameters().Sum(p => p.numel()).Should().Be(
            (32 + 1) * 1024 + 9 * ((16 * 64) + (64 * 32) + (32 * 16) + (16 * 8) + (8 * 3)) + 64 + 32 + 16 + 8 + 3);
        decoder.state_dict().Keys.Should().StartWith(["grid.weight", "grid.bias", "layers.0.weight", "layers.0.bias"]).And.HaveCount(12);
        decoder.IsClassIndependent.Should().BeTrue();
    }

    [Theory]
    [InlineData(1, 28, 28)]
    [InlineData(3, 64, 64)]
    [InlineData(2, 48, 37)]
    [InlineData(1, 1, 5)]
    public void ConvolutionalDecoder_AnyImageSize_ComesOutExactlyInZeroToOne(int channels, int height, int width)
    {
        using var scope = NewDisposeScope();
        using var decoder = new ConvolutionalDecoder(4, 6, [channels, height, width]);
        var images = decoder.call(randn(2, 4, 6));
        images.shape.Should().Equal(2, channels, height, width);
        images.min().item<float>().Should().BeGreaterThan(0);
        images.max().item<float>().Should().BeLessThan(1);
    }

    [Fact]
    public void ConvolutionalDecoder_Layers_AreTransposedConvolutionsOfStrideOneAndTwo()
    {
        using var scope = NewDisposeScope();
        using var decoder = new ConvolutionalDecoder(3, 4, [1, 6, 5], channels: [3, 2], dtype: float64);
        var (capsules, state) = (randn([2, 3, 4], float64), decoder.state_dict());
        var x = nn.functional.relu(capsules.select(1, 1).matmul(state["grid.weight"].t()) + state["grid.bias"]).reshape(2, 16, 3, 3);
        x = nn.functional.relu(nn.functional.conv_transpose2d(x, state["layers.0.weight"], state["layers.0.bias"], padding: [1, 1]));
        x = nn.functional.relu(nn.functional.conv_transpose2d(x, state["layers.1.weight"], state["layers.1.bias"], strides: [2, 2], padding: [1, 1], output_padding: [1, 0]));
        x = nn.functional.conv_transpose2d(x, state["layers.2.weight"], state["layers.2.bias"], padding: [1, 1]).sigmoid();
        decoder.call(capsules, tensor([1L, 1L])).ShouldBeClose(x, 1e-12);
    }

    [Fact]
    public void ConvolutionalDecoder_NotClassIndependent_SeesAllCapsulesMasked()
    {
        using var scope = NewDisposeScope();
        using var decoder = new ConvolutionalDecoder(3, 4, [1, 6, 6], channels: [3, 2], classIndependent: false);
        decoder.state_dict()["grid.weight"].shape.Should().Equal(16 * 3 * 3, 12);
        var capsules = randn(2, 3, 4);
        var others = capsules.clone();
        others.select(1, 0).add_(1);
        decoder.call(others, tensor([1L, 2L])).ShouldBeClose(decoder.call(capsules, tensor([1L, 2L])), 1e-6, "capsule 0 is masked");
        decoder.call(capsules, tensor([0L, 1, 2, 0]).reshape(2, 2)).shape.Should().Equal(2, 1, 6, 6);
        decoder.DecodeEach(capsules, tensor([0L, 1, 2, 0]).reshape(2, 2)).shape.Should().Equal(2, 2, 1, 6, 6);
    }

    [Fact]
    public void ConvolutionalDecoder_ImpossibleSizes_AreNamed()
    {
        ((Action)(() => new ConvolutionalDecoder(2, 2, [28, 28]))).Should().Throw<ArgumentException>().WithMessage(
            "ConvolutionalDecoder expected outputShape to be (C, H, W), as [1, 28, 28], but got (28, 28).*");
        ((Action)(() => new ConvolutionalDecoder(2, 2, [1, 8, 8], channels: []))).Should().Throw<ArgumentException>().WithMessage(
            "ConvolutionalDecoder expected channels to have at least one entry, as [64, 32, 16, 8], but got none.*");
        ((Action)(() => new ConvolutionalDecoder(2, 2, [1, 8, 8], channels: [4, 0]))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("channels");
    }
}
