using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Networks;

public class ConvolutionalBaselineTests
{
    // 35.4M in the paper, section 5.
    [Fact]
    public void ConvolutionalBaseline_Parameters_AreAsManyAsPublished()
    {
        using var network = new ConvolutionalBaseline(new ImageShape(1, 28, 28), classes: 10);
        network.parameters().Sum(p => p.numel()).Should().Be(6_656 + 1_638_656 + 819_328 + 32_915_784 + 63_168 + 1_930).And.Be(35_445_522);
    }

    [Fact]
    public void ConvolutionalBaseline_PooledTwice_HasHalfTheParametersOfTheCapsuleNetworkOnFortyPixels()
    {
        var image = new ImageShape(1, 40, 40);
        using var network = new ConvolutionalBaseline(image, classes: 10, pooling: true);
        using var capsules = new CapsNet(image, classes: 10);
        network.parameters().Sum(p => p.numel()).Should().Be(6_656 + 1_638_656 + 819_328 + (10 * 10 * 128 + 1) * 328 + 63_168 + 1_930).And.Be(6_728_466);
        capsules.parameters().Sum(p => p.numel()).Should().Be(
            20_992 + 5_308_672 + 12 * 12 * 32 * 10 * 8 * 16 + 82_432 + 525_312 + 1025 * 1600).And.Be(13_475_648);
    }

    [Fact]
    public void ConvolutionalBaseline_PooledToNothing_SaysWhatSizeItNeeds() =>
        ((Action)(() => new ConvolutionalBaseline(new ImageShape(1, 9, 3), classes: 3, pooling: true).Dispose())).Should().Throw<UserException>()
            .WithMessage("The pooled baseline's layers need images of at least 4 x 4 pixels, but these are 9 x 3. Enlarge the images.");

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ConvolutionalBaseline_Forward_IsThatOfItsLayersOneByOne(bool pooling)
    {
        using var scope = NewDisposeScope();
        using var network = new ConvolutionalBaseline(new ImageShape(2, 9, 8), classes: 3, pooling);
        network.eval();
        var images = rand(5, 2, 9, 8);
        var x = images;
        foreach (var layer in network.children())
        {
            x = ((nn.Module<Tensor, Tensor>)layer).call(x.dim() == 4 && layer == network.children().Last() ? x.flatten(1) : x);
        }

        network.call(images).allclose(x, rtol: 1e-4, atol: 1e-5).Should().BeTrue();
    }

    [Fact]
    public void ConvolutionalBaseline_Evaluating_DrawsNoDropoutAndTrainingDoes()
    {
        using var scope = NewDisposeScope();
        using var network = new ConvolutionalBaseline(new ImageShape(1, 6, 6), classes: 3);
        var images = rand(4, 1, 6, 6);
        network.call(images).Equals(network.call(images)).Should().BeFalse();
        network.eval();
        network.call(images).Equals(network.call(images)).Should().BeTrue();
    }

    [Fact]
    public void ConvolutionalBaseline_Loss_IsTheCrossEntropyOfTheLogits()
    {
        using var scope = NewDisposeScope();
        using var network = new ConvolutionalBaseline(new ImageShape(1, 6, 6), classes: 3);
        var logits = log(tensor([0.7f, 0.2f, 0.1f, 0.25f, 0.25f, 0.5f], [2, 3]));
        network.Loss(logits, tensor([0L, 2L])).item<float>().Should().BeApproximately((float)(-(Math.Log(0.7) + Math.Log(0.5)) / 2), 1e-6f);
        network.Scores(logits).Equals(logits).Should().BeTrue();
        network.LossName.Should().Be("cross-entropy");
    }

    [Fact]
    public void ConvolutionalBaseline_Reconstruct_SaysThatItHasNoDecoder()
    {
        using var network = new ConvolutionalBaseline(new ImageShape(1, 6, 6), classes: 3);
        network.HasDecoder.Should().BeFalse();
        ((Action)(() => network.Reconstruct(zeros(1, 3)))).Should().Throw<InvalidOperationException>()
            .WithMessage("This ConvolutionalBaseline was assembled without a decoder.");
    }
}
