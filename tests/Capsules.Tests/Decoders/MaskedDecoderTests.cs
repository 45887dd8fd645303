using static TorchSharp.torch;

namespace Capsules.Tests.Decoders;

public class MaskedDecoderTests
{
    [Fact]
    public void MaskedDecoder_PaperSizes_Has1411344Parameters()
    {
        using var decoder = new MaskedDecoder(10, 16, [1, 28, 28]);
        decoder.parameters().Sum(p => p.numel()).Should().Be(1_411_344);
        decoder.state_dict().Keys.Should().Equal(
            "layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias", "layers.2.weight", "layers.2.bias");
    }

    [Fact]
    public void MaskedDecoder_ColourImage_HasItsShapeInZeroToOne()
    {
        using var scope = NewDisposeScope();
        using var decoder = new MaskedDecoder(4, 6, [3, 9, 7], hiddenSizes: [11]);
        var image = decoder.call(randn(2, 4, 6));
        image.shape.Should().Equal(2, 3, 9, 7);
        image.min().item<float>().Should().BeGreaterThan(0);
        image.max().item<float>().Should().BeLessThan(1);
    }

    [Fact]
    public void MaskedDecoder_Label_DecodesThatCapsuleAndNoOther()
    {
        using var scope = NewDisposeScope();
        using var decoder = new MaskedDecoder(3, 2, [4], hiddenSizes: [], dtype: float64);
        var capsules = randn([2, 3, 2], float64);
        var labels = tensor([2L, 0L]);
        var state = decoder.state_dict();
        var weight = state["layers.0.weight"];      // (4, 6): capsule j owns columns 2 j and 2 j + 1
        for (var b = 0; b < 2; b++)
        {
            var j = labels[b].item<long>();
            var expected = (weight.narrow(1, 2 * j, 2).matmul(capsules[b, j]) + state["layers.0.bias"]).sigmoid();
            decoder.call(capsules, labels)[b].ShouldBeClose(expected, 1e-12);
        }
    }

    [Fact]
    public void MaskedDecoder_OfficialCode_DrawsBiasOfATenth()
    {
        using var decoder = new MaskedDecoder(10, 16, [1, 28, 28], preset: Preset.OfficialCode);
        var state = decoder.state_dict();
        state["layers.1.bias"].ToDoubles().Should().OnlyContain(b => Math.Abs(b - 0.1) < 1e-7);
        state["layers.1.weight"].ToDoubles().Max(Math.Abs).Should().BeInRange(0.19, 0.2 + 1e-6);
    }

    [Fact]
    public void MaskedDecoder_WrongCapsules_ThrowsWithBothShapes()
    {
        using var scope = NewDisposeScope();
        using var decoder = new MaskedDecoder(10, 16, [1, 28, 28]);
        var act = () => decoder.call(zeros(2, 16, 10));
        act.Should().Throw<ArgumentException>().WithMessage("MaskedDecoder expected input of shape (B, J, E) = (*, 10, 16), but got (2, 16, 10).*");
    }

    [Fact]
    public void MaskedDecoder_NoOutputShape_Throws() =>
        ((Action)(() => new MaskedDecoder(10, 16, []))).Should().Throw<ArgumentException>().WithMessage("MaskedDecoder expected outputShape to have at least one size*");
}
