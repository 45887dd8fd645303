using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Networks;

public class MatrixCapsNetTests
{
    // Convolution, primary capsules and their two batch normalisations, two convolutional layers and class capsules of 4 x 4 matrices; each routing has two betas a type.
    [Theory]
    [InlineData(1, 10, 832 + 4_488 + 32 + 9_232 + 9_232 + 1_300)]
    [InlineData(2, 5, 1_632 + 4_488 + 32 + 9_232 + 9_232 + 650)]
    public void MatrixCapsNet_Parameters_AreThoseOfItsConfiguration(int channels, int classes, long expected)
    {
        using var network = new MatrixCapsNet(new ImageShape(channels, 28, 28), classes);
        network.parameters().Sum(p => p.numel()).Should().Be(expected);
    }

    [Fact]
    public void MatrixCapsNet_Parameters_OnMnist_Are25116()
    {
        using var network = new MatrixCapsNet(new ImageShape(1, 28, 28), 10);
        network.parameters().Sum(p => p.numel()).Should().Be(25_116);
        network.state_dict().Keys.Should().Contain(
            ["conv1.weight", "primary.weight", "convCaps1.weight", "convCaps2.routing.beta_a", "digits.weight", "digits.routing.beta_u"]);
    }

    // Else the network learns nothing in its first hundred steps: see WeightStd.
    [Fact]
    public void MatrixCapsNet_Drawn_HasWeightsThatKeepPosesAlive()
    {
        using var network = new MatrixCapsNet(new ImageShape(1, 28, 28), 10);
        foreach (var name in (string[])["convCaps1.weight", "convCaps2.weight", "digits.weight"])
        {
            network.state_dict()[name].std().item<float>().Should().BeApproximately(2, 0.2f, name);
        }
    }

    [Fact]
    public void MatrixCapsNet_Output_IsOneActivationAClass()
    {
        using var scope = NewDisposeScope();
        using var network = new MatrixCapsNet(new ImageShape(1, 17, 19), 3);
        var activations = network.call(rand(2, 1, 17, 19));
        activations.shape.Should().Equal(2, 3);
        activations.data<float>().Should().OnlyContain(a => a > 0 && a < 1);
    }

    [Theory]
    [InlineData(0, 0.01)]                 // margin 0.2: 0.2 - 0.1 is over for one class
    [InlineData(0.5, 0.2025 + 0.0025)]    // margin 0.55
    [InlineData(1, 0.64 + 0.16)]          // margin 0.9, from here on
    [InlineData(double.PositiveInfinity, 0.64 + 0.16)]
    public void MatrixCapsNet_Loss_IsTheSpreadLossWhoseMarginRisesInTheFirstEpoch(double epochs, double expected)
    {
        using var scope = NewDisposeScope();
        using var network = new MatrixCapsNet(new ImageShape(1, 17, 17), 3) { EpochsBehind = epochs };
        network.Loss(tensor([0.6f, 0.5f, 0.1f], [1, 3]), tensor([0L])).item<float>().Should().BeApproximately((float)expected, 1e-6f);
    }

    [Fact]
    public void MatrixCapsNet_ImagesTooSmall_SaysHowLargeTheyMustBe() =>
        ((Action)(() => new MatrixCapsNet(new ImageShape(1, 28, 16), classes: 10))).Should().Throw<UserException>()
            .WithMessage("MatrixCapsNet's convolutions need images of at least 17 x 17 pixels, but these are 28 x 16. Enlarge the images.");
}
