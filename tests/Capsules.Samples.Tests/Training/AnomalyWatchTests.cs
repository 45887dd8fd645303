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
