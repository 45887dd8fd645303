using TorchSharp;
using static Capsules.Samples.Tests.Training.SmallRuns;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Training;

/// <summary>A step of several replicas, each with a share of the batch, is the step of one.</summary>
public class ReplicasTests
{
    // 12 images in steps of 5, 5 and 2, so that shares are uneven and one replica of three is once without.
    private static TrainingOptions Options => SmallDigits.Options with { Epochs = 2, BatchSize = 5, Validation = 0, ClipGradients = 10, LearningRate = 1e-4 };

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Trainer_WithReplicas_GivesTheNumbersOfOneToRounding(int replicas)
    {
        using var folders = new TemporaryFolder();
        using var dataset = Small();
        using var one = Run(folders, dataset, 1, "one");
        using var several = Run(folders, dataset, replicas, "several");
        several.Replicas.Should().Be(replicas);
        foreach (var (alone, together) in one.History.Zip(several.History))
        {
            together.Loss.Should().BeApproximately(alone.Loss, 1e-5 * alone.Loss);
            together.ClassLoss!.Value.Should().BeApproximately(alone.ClassLoss!.Value, 1e-5 * alone.ClassLoss.Value);
            together.TrainAccuracy.Should().Be(alone.TrainAccuracy);
        }

        Weights(several).Zip(Weights(one), (a, b) => Math.Abs(a - b)).Aggregate(Math.Max).Should().BeLessThan(1e-5f);
    }

    [Fact]
    public void Trainer_WithReplicasTwice_GivesTheSameBits()
    {
        using var folders = new TemporaryFolder();
        using var dataset = Small();
        using var first = Run(folders, dataset, 2, "first");
        using var second = Run(folders, dataset, 2, "second");
        Numbers(second).Should().Equal(Numbers(first));
        Weights(second).Should().Equal(Weights(first));
    }

    [Fact]
    public void Trainer_WithReplicasResumed_GivesTheNumbersOfAnUninterruptedRun()
    {
        using var folders = new TemporaryFolder();
        using var dataset = Small();
        using var whole = Run(folders, dataset, 2, "whole");
        var folder = RunFolder.Create(folders.Path, "interrupted");
        using var stop = new CancellationTokenSource();
        using (var interrupted = Trainer.Start(Options, dataset, CPU, folder, Silent))
        {
            interrupted.Replicas = 2;
            CancelAfter(interrupted, steps: 4, stop);
            ((Action)(() => interrupted.Run(stop.Token))).Should().Throw<OperationCanceledException>();
        }

        using var resumed = Trainer.Resume(folder, new RunEnd(), dataset, CPU, Silent);
        resumed.Replicas = 2;
        resumed.Run(TestContext.Current.CancellationToken);
        Numbers(resumed).Should().Equal(Numbers(whole));
        Weights(resumed).Should().Equal(Weights(whole));
    }

    [Fact]
    public void GatherGradients_OfShares_IsTheGradientOfTheWholeBatch()
    {
        using var scope = NewDisposeScope();
        using var dataset = Small();
        manual_seed(5);
        ImageNetwork Make() => new Checkpoint(Options, DatasetFacts.Of(dataset), new TrainingState()).MakeNetwork();
        using var network = Make();
        var batch = Batches.Take(dataset.Train, Batches.InOrder(7), CPU);
        Gradient(network, batch, 1).backward();
        Tensor[] whole = [.. network.parameters().Select(parameter => parameter.grad?.clone() ?? zeros_like(parameter))];

        using var replicas = new Replicas(network, Make, [CPU, CPU, CPU]);
        foreach (var parameter in network.parameters())
        {
            parameter.grad = null;
        }

        var shares = replicas.Split(batch);
        shares.Select(share => share.Batch.Images.size(0)).Should().Equal(3, 2, 2);
        foreach (var share in shares)
        {
            Gradient(share.Network, share.Batch, share.Weight).backward();
        }

        replicas.GatherGradients();
        foreach (var (parameter, expected) in network.parameters().Zip(whole))
        {
            var found = parameter.grad ?? zeros_like(parameter);
            (found - expected).abs().max().item<float>().Should().BeLessThanOrEqualTo(1e-5f * expected.abs().max().item<float>() + 1e-9f);
        }

        static Tensor Gradient(ImageNetwork network, ImageBatch batch, double weight) => network.Loss(network.call(batch.Images), batch.Labels).mul(weight);
    }

    [Fact]
    public void Replicas_OfANetworkWithBatchNormalisation_AreRefused()
    {
        using var folders = new TemporaryFolder();
        using var dataset = Small();
        using var trainer = Trainer.Start(Tiny, dataset, CPU, RunFolder.Create(folders.Path, "normalised"), Silent);
        Action several = () => trainer.Replicas = 2;
        several.Should().Throw<UserException>().WithMessage("--replicas is for networks that see each image by itself, and EfficientCapsNet normalises by its batch.*");
    }

    [Fact]
    public void Trainer_RunOnCuda_GoesOnWithTheCpuAndBack()
    {
        Assert.SkipUnless(cuda.is_available(), "There is no CUDA device.");
        using var folders = new TemporaryFolder();
        using var dataset = Small();
        var folder = RunFolder.Create(folders.Path, "moved");
        using (var first = Trainer.Start(Options with { Epochs = 1 }, dataset, CUDA, folder, Silent))
        {
            first.Replicas = 2;
            first.Run(TestContext.Current.CancellationToken);
        }

        foreach (var (epochs, device) in ((int, Device)[])[(2, CPU), (3, CUDA)])
        {
            using var next = Trainer.Resume(folder, new RunEnd(epochs), dataset, device, Silent);
            next.Run(TestContext.Current.CancellationToken);
            next.History.Should().HaveCount(epochs);
        }

        using var whole = Trainer.Start(Options with { Epochs = 3 }, dataset, CPU, RunFolder.Create(folders.Path, "whole"), Silent);
        whole.Run(TestContext.Current.CancellationToken);
        using var moved = Trainer.Resume(folder, new RunEnd(), dataset, CPU, Silent);
        moved.History[2].Loss.Should().BeApproximately(whole.History[2].Loss, 1e-3 * whole.History[2].Loss);
    }

    private static Trainer Run(TemporaryFolder folders, ImageDataset dataset, int replicas, string name)
    {
        var trainer = Trainer.Start(Options, dataset, CPU, RunFolder.Create(folders.Path, name), Silent);
        trainer.Replicas = replicas;
        trainer.Run(TestContext.Current.CancellationToken);
        return trainer;
    }
}
