using System.Text.RegularExpressions;
using TorchSharp;
using static Capsules.Samples.Tests.Training.SmallRuns;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests;

public class AnomalyWatchTests
{
    [Theory]
    [InlineData("features.3.weight", "in step 1 the output of features.3 (Conv2d) is no longer of numbers, as its weight.")]
    [InlineData("features.2.weight", "in step 1 the output of features.2 (BatchNorm1d) is no longer of numbers, as its weight.")]      // as TorchSharp names all three
    [InlineData("digits.weight", "in step 1 the output of digits (CapsuleLayer) is no longer of numbers, as its weight.")]
    public void Trainer_WeightThatIsNoNumber_NamesTheLayer(string weight, string message)
    {
        using var folders = new TemporaryFolder();
        using var dataset = Small();
        using var trainer = Watched(folders, dataset);
        using (no_grad())
        {
            trainer.Network.named_parameters().Single(entry => entry.name == weight).parameter.fill_(float.NaN);
        }

        Failure(trainer).Should().StartWith($"Training has diverged: in epoch 1, {message} Use a smaller --learning-rate;");
    }

    public static TheoryData<string> Networks => [.. NetworkCatalog.All.Select(kind => kind.Name)];

    // One after the other, whatever its layer is: called, gone through, routed, or a convolution of the library's.
    [Theory]
    [MemberData(nameof(Networks))]
    public void InForward_AnyParameterThatIsNoNumber_NamesIt(string model)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var kind = NetworkCatalog.Get(model);
        using var network = kind.Make(kind.Recipe, new ImageShape(1, 18, 17), 3);
        var images = rand(2, 1, 18, 17);
        foreach (var (name, parameter) in network.named_parameters())
        {
            using var inner = NewDisposeScope();
            var before = parameter.clone();
            parameter.fill_(float.NaN);
            var watch = new AnomalyWatch(network);
            var output = network.call(images);
            if (network.HasDecoder)
            {
                network.Reconstruct(output);
            }

            var said = Regex.Match(watch.InForward() ?? "", @"^the output of (.+) \(\w+\) is no longer of numbers, as its (.+)$");
            (said.Groups[1].Value == "the network" ? said.Groups[2].Value : $"{said.Groups[1]}.{said.Groups[2]}").Should().Be(name);
            parameter.copy_(before);
        }
    }

    // The numbers grow too large in a convolution that is not called, and no weight is to blame.
    [Theory]
    [InlineData("capsnet", "conv1")]
    [InlineData("cnn", "convolutions.2")]
    public void InForward_ConvolutionThatOverflows_IsNamed(string model, string layer)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var kind = NetworkCatalog.Get(model);
        using var network = kind.Make(kind.Recipe, new ImageShape(1, 17, 17), 3);
        network.get_parameter($"{layer}.weight")!.fill_(3e38f);
        var watch = new AnomalyWatch(network);
        network.call(ones(2, 1, 17, 17));
        watch.InForward().Should().Be($"the output of {layer} (Conv2d) is no longer of numbers, though what it was given is");
    }

    [Fact]
    public void InForward_ImagesThatAreNoNumbers_AreToBlame()
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var network = new CapsNet(new ImageShape(1, 17, 17), 3);
        var watch = new AnomalyWatch(network);
        network.call(full([2, 1, 17, 17], float.NaN));
        watch.InForward().Should().Be("the output of the network (CapsNet) is no longer of numbers, as what it was given");
    }

    // The loss is a number, and its gradient is none: the slope of a root at zero.
    [Fact]
    public void Trainer_GradientThatIsNoNumber_NamesTheParameterAndTakesNoStep()
    {
        using var folders = new TemporaryFolder();
        using var dataset = Small();
        using var trainer = Watched(folders, dataset);
        var digits = (CapsuleLayer)trainer.Network.named_modules().Single(entry => entry.name == "digits").module;
        digits.register_forward_hook((_, _, output) => output + (output - output).sqrt());
        var before = Weights(trainer);
        Failure(trainer).Should().StartWith("Training has diverged: in epoch 1, in step 1 the gradient of digits.");
        Weights(trainer).Should().Equal(before, "no step is made of such a gradient");
    }

    [Fact]
    public void Trainer_Watched_ComputesWhatItComputesUnwatched()
    {
        using var folders = new TemporaryFolder();
        using var dataset = Small();
        using var plain = Train(folders, dataset, Tiny);
        using var watched = Watched(folders, dataset);
        watched.Run(TestContext.Current.CancellationToken);
        Numbers(watched).Should().Equal(Numbers(plain));
    }

    private static Trainer Watched(TemporaryFolder folders, ImageDataset dataset)
    {
        var trainer = Trainer.Start(Tiny, dataset, CPU, RunFolder.Create(folders.Path, "watched"), Silent);
        trainer.Anomaly = new AnomalyWatch(trainer.Network);
        return trainer;
    }

    private static string Failure(Trainer trainer) =>
        ((Action)(() => trainer.Run(TestContext.Current.CancellationToken))).Should().Throw<UserException>().Which.Message;
}
