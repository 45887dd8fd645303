using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Networks;

public class InvertedAttentionCapsNetTests
{
    // Backbone with two batch normalisations, primary convolution and its normalisation, two convolutional layers, 128 capsules to the
    // classes, each routing with a normalisation of its own, and the classifier that the classes share.
    [Theory]
    [InlineData(1, 10, 288 + 64 + 18_432 + 128 + 8_192 + 32 + 2 * (9_216 + 32) + (20_480 + 32) + 16)]
    [InlineData(3, 4, 864 + 64 + 18_432 + 128 + 8_192 + 32 + 2 * (9_216 + 32) + (8_192 + 32) + 16)]
    public void InvertedAttentionCapsNet_Parameters_AreThoseOfItsConfiguration(int channels, int classes, long expected)
    {
        using var network = new InvertedAttentionCapsNet(new ImageShape(channels, 28, 28), classes);
        network.parameters().Sum(p => p.numel()).Should().Be(expected);
    }

    [Fact]
    public void InvertedAttentionCapsNet_Parameters_OnMnist_Are66160()
    {
        using var network = new InvertedAttentionCapsNet(new ImageShape(1, 28, 28), 10);
        network.parameters().Sum(p => p.numel()).Should().Be(66_160);
        network.state_dict().Keys.Should().Contain(
            ["backbone.0.weight", "primary.weight", "norm.weight", "convCaps1.weight", "convCaps2.routing.weight", "digits.weight", "classifier.weight"]);
    }

    // Sequential and concurrent routing are the same where there is one pass alone.
    [Theory]
    [InlineData(1, true)]
    [InlineData(2, false)]
    public void InvertedAttentionCapsNet_MoreThanOnePass_IsRoutedConcurrently(int iterations, bool same)
    {
        using var scope = NewDisposeScope();
        using var network = new InvertedAttentionCapsNet(new ImageShape(1, 16, 16), 3, iterations);
        network.eval();
        var images = rand(2, 1, 16, 16);
        var modules = network.named_children().ToDictionary(child => child.name, child => child.module);
        var backbone = (nn.Module<Tensor, Tensor>)modules["backbone"];
        var features = ((nn.Module<Tensor, Tensor>)modules["primary"]).call(backbone.call(images));
        var capsules = ((nn.Module<Tensor, Tensor>)modules["norm"]).call(features.reshape(2, 8, 16, 8, 8).permute(0, 1, 3, 4, 2));
        foreach (var name in (string[])["convCaps1", "convCaps2"])
        {
            capsules = ((ConvCapsuleLayer)modules[name]).call(capsules);
        }

        var classes = ((CapsuleLayer)modules["digits"]).call(capsules.flatten(1, 3));
        var sequential = ((nn.Module<Tensor, Tensor>)modules["classifier"]).call(classes).squeeze(-1);
        var difference = network.call(images).sub(sequential).abs().max().item<float>();
        (difference < 1e-5).Should().Be(same);
    }

    [Fact]
    public void InvertedAttentionCapsNet_Loss_IsTheCrossEntropyOfTheLogits()
    {
        using var scope = NewDisposeScope();
        using var network = new InvertedAttentionCapsNet(new ImageShape(1, 13, 13), 2);
        var logits = log(tensor([0.7f, 0.3f, 0.25f, 0.75f], [2, 2]));
        network.Loss(logits, tensor([0L, 1L])).item<float>().Should().BeApproximately((float)(-(Math.Log(0.7) + Math.Log(0.75)) / 2), 1e-6f);
    }

    [Theory]
    [InlineData(13, 13)]
    [InlineData(14, 21)]
    public void InvertedAttentionCapsNet_SmallImages_GiveOneLogitAClass(int height, int width)
    {
        using var scope = NewDisposeScope();
        using var network = new InvertedAttentionCapsNet(new ImageShape(1, height, width), 3);
        network.call(rand(2, 1, height, width)).shape.Should().Equal(2, 3);
    }

    [Fact]
    public void InvertedAttentionCapsNet_ImagesTooSmall_SaysHowLargeTheyMustBe() =>
        ((Action)(() => new InvertedAttentionCapsNet(new ImageShape(1, 12, 28), classes: 10))).Should().Throw<UserException>()
            .WithMessage("InvertedAttentionCapsNet's convolutions need images of at least 13 x 13 pixels, but these are 12 x 28. Enlarge the images.");
}
