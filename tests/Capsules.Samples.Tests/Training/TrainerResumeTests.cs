using TorchSharp;
using static Capsules.Samples.Tests.Training.SmallRuns;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Training;

/// <summary>A run that was interrupted and resumed is the run that was not.</summary>
public class TrainerResumeTests
{
    // Cancelled in the middle of the second epoch and gone on with: weights, optimiser, learning rate, order and shifts.
    [Theory]
    [InlineData("Float32")]
    [InlineData("BFloat16")]
    public void Trainer_ResumedInMidEpoch_GivesTheNumbersOfAnUninterruptedRun(string precision)
    {
        var options = SmallDigits.Options with { Decay = 0.5, Precision = Enum.Parse<Precision>(precision) };
        using var folders = new TemporaryFolder();
        using var dataset = SmallDigits.Create();
        using var whole = Train(folders, dataset, options);

        var folder = Interrupted(folders, dataset, options, steps: 6);
        Checkpoint.Describe(folder.Last).State.History.Should().HaveCount(1);

        using var resumed = Trainer.Resume(folder, new RunEnd(), dataset, CPU, Silent);
        resumed.Run(TestContext.Current.CancellationToken);
        Numbers(resumed).Should().Equal(Numbers(whole));
        Weights(resumed).Should().Equal(Weights(whole));
    }

    // Clipping, another optimizer and schedule, and what chooses the best.
    [Theory]
    [InlineData("AdamW", "Cosine", "HeldOut")]
    [InlineData("Adam", "Constant", "Test")]
    public void Trainer_OtherStepsResumedInMidEpoch_GivesTheNumbersOfAnUninterruptedRun(string optimizer, string schedule, string select)
    {
        using var folders = new TemporaryFolder();
        using var dataset = Small();
        var options = (Tiny with
        {
            Optimizer = Enum.Parse<OptimizerKind>(optimizer),
            Schedule = Enum.Parse<Schedule>(schedule),
            Select = Enum.Parse<Selection>(select),
            WeightDecay = 0.02,
            ClipGradients = 0.1,
        }).Resolve();
        using var whole = Train(folders, dataset, options);
        var folder = Interrupted(folders, dataset, options, steps: 3);

        using var resumed = Trainer.Resume(folder, new RunEnd(), dataset, CPU, Silent);
        resumed.Run(TestContext.Current.CancellationToken);
        Numbers(resumed).Should().Equal(Numbers(whole));
        Weights(resumed).Should().Equal(Weights(whole));
        resumed.History.Should().OnlyContain(row => row.ValidationAccuracy != null);
        using var plain = Train(folders, dataset, options with { ClipGradients = null });
        Weights(plain).Should().NotEqual(Weights(whole), "clipping at a small norm changes the steps");
    }

    [Fact]
    public void Trainer_KilledBeforeItsFirstCheckpoint_StartsAgainFromItsConfig()
    {
        using var folders = new TemporaryFolder();
        using var dataset = Small();
        using var whole = Train(folders, dataset, Tiny.Resolve());
        var folder = RunFolder.Create(folders.Path, "killed");
        folder.IsBegun.Should().BeFalse();
        folder.WriteConfig(RunConfig.Of(Tiny.Resolve(), dataset, CPU));      // all that a run has before its first step is saved
        using var again = Trainer.Resume(RunFolder.Open(folder.FullPath), new RunEnd(), dataset, CPU, Silent);
        again.Run(TestContext.Current.CancellationToken);
        Weights(again).Should().Equal(Weights(whole));
    }

    [Theory]
    [InlineData(2, 2, true)]
    [InlineData(2, 1, false)]
    [InlineData(1, 2, false)]
    public void Trainer_ResumedWithAnotherNumberOfThreads_SaysThatNumbersMayDiffer(int threads, int epochs, bool isWarned)
    {
        using var folders = new TemporaryFolder();
        using var dataset = Small();
        var folder = RunFolder.Create(folders.Path, "threads");
        var before = get_num_threads();
        try
        {
            set_num_threads(1);
            using (var first = Trainer.Start((Tiny with { Epochs = 1 }).Resolve(), dataset, CPU, folder, Silent))
            {
                first.Run(TestContext.Current.CancellationToken);
            }

            set_num_threads(threads);
            var output = new TestOutput();
            using var resumed = Trainer.Resume(folder, new RunEnd(epochs), dataset, CPU, new TrainingDisplay(output.Console));
            resumed.Run(TestContext.Current.CancellationToken);
            output.Text.Contains(
                "The run was computed on cpu, 1 threads and goes on with cpu, 2 threads: its numbers may differ in the last bits", StringComparison.Ordinal)
                .Should().Be(isWarned, "a warning belongs to a change that steps follow");
            output.Text.Contains("last bits", StringComparison.Ordinal).Should().Be(isWarned);
        }
        finally
        {
            set_num_threads(before);
        }
    }

    // Dropout and running statistics too go on as if nothing had happened.
    [Theory]
    [InlineData("cnn", 7)]
    [InlineData("efficient", 13)]
    [InlineData("inverted", 14)]
    [InlineData("matrix", 17)]
    public void Trainer_EveryModelResumed_GivesTheNumbersOfAnUninterruptedRun(string model, int size)
    {
        using var folders = new TemporaryFolder();
        using var dataset = SmallDigits.Create(train: 12, size: size);
        var options = NetworkCatalog.Get(model).Recipe with { Epochs = 2, BatchSize = 6, Seed = 3, MaxShift = 1 };
        using var whole = Train(folders, dataset, options);
        var folder = RunFolder.Create(folders.Path, "short");
        using (var one = Trainer.Start(options with { Epochs = 1 }, dataset, CPU, folder, Silent))
        {
            one.Run(TestContext.Current.CancellationToken);
        }

        _ = torch.rand(3);      // what else draws from torch's generator makes no difference
        using var two = Trainer.Resume(folder, new RunEnd(2), dataset, CPU, Silent);
        two.Run(TestContext.Current.CancellationToken);
        Numbers(two).Should().Equal(Numbers(whole));
        Weights(two).Should().Equal(Weights(whole));
    }

    [Fact]
    public void Trainer_FinishedRunResumedWithMoreEpochs_GoesOn()
    {
        using var folders = new TemporaryFolder();
        using var dataset = SmallDigits.Create();
        using var whole = Train(folders, dataset, SmallDigits.Options);
        var folder = RunFolder.Create(folders.Path, "short");
        using (var one = Trainer.Start(SmallDigits.Options with { Epochs = 1 }, dataset, CPU, folder, Silent))
        {
            one.Run(TestContext.Current.CancellationToken);
        }

        using var two = Trainer.Resume(folder, new RunEnd(2), dataset, CPU, Silent);
        two.Run(TestContext.Current.CancellationToken);
        Weights(two).Should().Equal(Weights(whole));
    }

    [Fact]
    public void Trainer_ResumedOnOtherImages_IsRefused()
    {
        using var folders = new TemporaryFolder();
        using var dataset = SmallDigits.Create();
        var folder = RunFolder.Create(folders.Path, "first");
        using (var first = Trainer.Start(SmallDigits.Options with { Epochs = 1 }, dataset, CPU, folder, Silent))
        {
            first.Run(TestContext.Current.CancellationToken);
        }

        using var others = SmallDigits.Create(seed: 5);
        var act = () => Trainer.Resume(folder, new RunEnd(2), others, CPU, Silent);
        act.Should().Throw<UserException>()
            .WithMessage("The run was trained on other images than those of generated, seed 5. Give the original ones with --data, or start a new run.");
    }

    // A run that was cancelled in a step, and saved itself.
    private static RunFolder Interrupted(TemporaryFolder folders, ImageDataset dataset, TrainingOptions options, int steps)
    {
        var folder = RunFolder.Create(folders.Path, "interrupted");
        using var stop = new CancellationTokenSource();
        using var trainer = Trainer.Start(options, dataset, CPU, folder, Silent);
        CancelAfter(trainer, steps, stop);
        ((Action)(() => trainer.Run(stop.Token))).Should().Throw<OperationCanceledException>();
        return folder;
    }
}
