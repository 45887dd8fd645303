using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Networks;

public class EfficientCapsNetTests
{
    [Theory]
    [InlineData(1, 28, 10, 161_824)]      // MNIST
    [InlineData(1, 36, 10, 154_656)]      // MultiMNIST
    [InlineData(2, 48, 5, 151_664)]       // smallNORB
    public void EfficientCapsNet_TrainableParameters_AreAsManyAsPublished(int channels, int size, int classes, long expected)
    {
        using var scope = NewDisposeScope();
        using var network = new EfficientCapsNet(new ImageShape(channels, size, size), classes, withDecoder: false);
        network.parameters().Sum(p => p.numel()).Should().Be(expected);
        network.call(rand(2, channels, size, size)).shape.Should().Equal(2, classes, 16);
    }

    // 162,400 with the batch normalisations' running means and variances; torch counts their batches too.
    [Fact]
    public void EfficientCapsNet_AllNumbers_AreAsManyAsPublished()
    {
        using var network = new EfficientCapsNet(new ImageShape(1, 28, 28), 10, withDecoder: false);
        network.state_dict().Where(p => !p.Key.EndsWith("num_batches_tracked", StringComparison.Ordinal)).Sum(p => p.Value.numel()).Should().Be(162_400);
    }

    [Fact]
    public void EfficientCapsNet_Decoder_IsThatOf2017()
    {
        using var network = new EfficientCapsNet(new ImageShape(1, 28, 28), 10);
        network.parameters().Sum(p => p.numel()).Should().Be(161_824 + 1_411_344);
        network.state_dict().Keys.Should().Contain(["features.0.weight", "features.2.running_var", "primary.weight", "digits.weight", "digits.routing.prior", "decoder.layers.0.weight"]);
    }

    [Fact]
    public void EfficientCapsNet_Drawn_HasTheVariancesOfKeras()
    {
        using var network = new EfficientCapsNet(new ImageShape(1, 28, 28), 10);
        var state = network.state_dict();
        ShouldHaveStd("features.3.weight", Math.Sqrt(2.0 / (32 * 9)));
        ShouldHaveStd("features.9.weight", Math.Sqrt(2.0 / (64 * 9)));
        ShouldHaveStd("digits.weight", Math.Sqrt(2.0 / 1280));
        ShouldHaveStd("decoder.layers.1.weight", Math.Sqrt(2.0 / 512));
        ShouldHaveStd("decoder.layers.2.weight", Math.Sqrt(2.0 / (1024 + 784)));
        foreach (var (name, tensor) in state.Where(p => p.Key.EndsWith(".bias", StringComparison.Ordinal) && p.Value.numel() > 0))
        {
            tensor.abs().max().item<float>().Should().Be(0, name);
        }

        // Uniform: its standard deviation is its bound over the square root of 3.
        ShouldHaveStd("primary.weight", Math.Sqrt(6.0 / (81 * 129) / 3));

        void ShouldHaveStd(string name, double std) => state[name].std().item<float>().Should().BeApproximately((float)std, (float)std / 50, name);
    }

    [Fact]
    public void EfficientCapsNet_SmallNorb_NormalisesInstancesWithScaleAndOffsetNearZero()
    {
        using var scope = NewDisposeScope();
        using var network = new EfficientCapsNet(new ImageShape(2, 48, 48), 5, withDecoder: false);
        var state = network.state_dict();
        state["features.2.weight"].abs().max().item<float>().Should().BeInRange(0.03f, 0.05f);
        var images = rand(3, 2, 48, 48);
        var together = network.call(images);
        network.call(images.narrow(0, 1, 1)).sub(together.narrow(0, 1, 1)).abs().max().item<float>()
            .Should().BeLessThan(1e-5f, "in training too no image depends on the others of its batch");
    }

    [Fact]
    public void EfficientCapsNet_Evaluating_UsesRunningStatisticsOfMomentumOneHundredth()
    {
        using var scope = NewDisposeScope();
        using var network = new EfficientCapsNet(new ImageShape(1, 28, 28), 10, withDecoder: false);
        var images = rand(4, 1, 28, 28);
        _ = network.call(images);
        var first = nn.functional.relu(nn.functional.conv2d(images, network.get_parameter("features.0.weight")!, null));      // the bias is zero
        network.state_dict()["features.2.running_mean"].sub(first.mean([0, 2, 3]) * 0.01).abs().max().item<float>().Should().BeLessThan(1e-5f);
        network.eval();
        network.call(images.narrow(0, 0, 1)).sub(network.call(images).narrow(0, 0, 1)).abs().max().item<float>().Should().BeLessThan(1e-5f);
    }

    [Theory]
    [InlineData(11, 11)]
    [InlineData(30, 29)]
    [InlineData(64, 40)]
    public void EfficientCapsNet_OtherSizes_HaveSixteenPrimaryCapsules(int height, int width)
    {
        using var scope = NewDisposeScope();
        using var network = new EfficientCapsNet(new ImageShape(3, height, width), 4);
        network.state_dict()["digits.weight"].shape.Should().Equal(16, 4, 8, 16);
        network.Reconstruct(network.call(rand(2, 3, height, width))).shape.Should().Equal(2, 3, height, width);
    }

    [Fact]
    public void EfficientCapsNet_ImagesTooSmall_IsSaid() =>
        ((Action)(() => new EfficientCapsNet(new ImageShape(1, 10, 28), classes: 10))).Should().Throw<UserException>()
            .WithMessage("EfficientCapsNet's convolutions leave nothing of images of 10 x 28 pixels. Enlarge the images.");
}
