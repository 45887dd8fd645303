using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Training;

/// <summary>Runs of the trainer that take a moment.</summary>
internal static class SmallRuns
{
    /// <summary>A display that nobody sees.</summary>
    public static TrainingDisplay Silent => new(new TestOutput().Console);

    /// <summary>Twelve images.</summary>
    public static ImageDataset Small() => SmallDigits.Create(train: 12);

    /// <summary>Two epochs of two steps of Efficient-CapsNet, the fastest of the networks with routing.</summary>
    public static TrainingOptions Tiny => NetworkCatalog.Get("efficient").Recipe with
    {
        Dataset = BuiltInDigits.Name, Epochs = 2, BatchSize = 6, Seed = 3, ReconstructionWeight = 0,
    };

    /// <summary>What a run reached in each epoch, without what depends on the clock.</summary>
    public static IEnumerable<EpochResult> Numbers(Trainer trainer) => trainer.History.Select(row => row with { Seconds = 0, ImagesPerSecond = 0 });

    /// <summary>Trains a run from start to end.</summary>
    public static Trainer Train(TemporaryFolder folders, ImageDataset dataset, TrainingOptions options)
    {
        var trainer = Trainer.Start(options, dataset, CPU, RunFolder.Create(folders.Path, dataset.Name), Silent);
        trainer.Run(TestContext.Current.CancellationToken);
        return trainer;
    }

    /// <summary>Cancels a run during one of its steps, counted from 1: it saves itself after it.</summary>
    public static void CancelAfter(Trainer trainer, int steps, CancellationTokenSource stop)
    {
        var count = 0;
        trainer.Network.register_forward_pre_hook((_, input) =>
        {
            // Evaluation calls the network too; steps are the calls in training mode.
            if (trainer.Network.training && ++count == steps)
            {
                stop.Cancel();
            }

            return input;
        });
    }

    /// <summary>The first weights of every parameter.</summary>
    public static float[] Weights(Trainer trainer) =>
        trainer.Network.parameters().SelectMany(p => p.detach().flatten().narrow(0, 0, Math.Min(500, p.numel())).data<float>().ToArray()).ToArray();
}
