using static TorchSharp.torch;

namespace Capsules.Tests.Decoders;

public class ClassIndependentDecoderTests
{
    [Fact]
    public void ClassIndependentDecoder_PaperSizes_HasATenthOfTheFirstLayer()
    {
        using var decoder = new ClassIndependentDecoder(10, 16, [1, 28, 28]);
        decoder.parameters().Sum(p => p.numel()).Should().Be(1_411_344 - 9 * 16 * 512);
        decoder.state_dict().Keys.Should().Equal(
            "layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias", "layers.2.weight", "layers.2.bias");
        decoder.IsClassIndependent.Should().BeTrue();
        decoder.OutputShape.Should().Equal(1, 28, 28);
    }

    [Fact]
    public void ClassIndependentDecoder_SameCapsuleInAnotherClass_GivesTheSameImage()
    {
        using var scope = NewDisposeScope();
        using var decoder = new ClassIndependentDecoder(3, 4, [1, 5, 5], [7]);
        var capsules = randn(2, 3, 4);
        var moved = capsules.roll(1, 1);
        decoder.call(moved, tensor([1L, 0L])).ShouldBeClose(decoder.call(capsules, tensor([0L, 2L])), 1e-6);
    }

    [Fact]
    public void ClassIndependentDecoder_Label_DecodesThatCapsuleAndNoOther()
    {
        using var scope = NewDisposeScope();
        using var decoder = new ClassIndependentDecoder(3, 2, [4], hiddenSizes: [], dtype: float64);
        var (capsules, state) = (randn([2, 3, 2], float64), decoder.state_dict());
        var images = decoder.call(capsules, tensor([2L, 0L]));
        images[0].ShouldBeClose((state["layers.0.weight"].matmul(capsules[0, 2]) + state["layers.0.bias"]).sigmoid(), 1e-12);
        images[1].ShouldBeClose((state["layers.0.weight"].matmul(capsules[1, 0]) + state["layers.0.bias"]).sigmoid(), 1e-12);
    }

    [Fact]
    public void ClassIndependentDecoder_SeveralCapsulesOfASample_AreRefusedWithTheFix()
    {
        using var scope = NewDisposeScope();
        using var decoder = new ClassIndependentDecoder(3, 2, [4]);
        ((Action)(() => decoder.call(zeros(2, 3, 2), tensor([0L, 1, 2, 0]).reshape(2, 2)))).Should().Throw<ArgumentException>().WithMessage(
            "ClassIndependentDecoder expected keep of shape (B) = (2), as input (2, 3, 2), but got (2, 2). This decoder sees one capsule of a sample; " +
            "DecodeEach decodes several, each into an image of its own.*");
        ((Action)(() => decoder.call(zeros(2, 3, 2), tensor([0L, 3L])))).Should().Throw<ArgumentException>().WithMessage(
            "ClassIndependentDecoder expected keep in [0, 2], for 3 capsules, but got values from 0 to 3.*");
        ((Action)(() => decoder.call(zeros(2, 2, 3)))).Should().Throw<ArgumentException>().WithMessage(
            "ClassIndependentDecoder expected input of shape (B, J, E) = (*, 3, 2), but got (2, 2, 3).*");
        ((Action)(() => decoder.call(zeros([2, 3, 2], float64)))).Should().Throw<ArgumentException>().WithMessage(
            "ClassIndependentDecoder expected input of dtype Float32, as its layers.0.weight, but got Float64.*");
    }
}
