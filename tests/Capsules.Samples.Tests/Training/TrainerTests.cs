using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Training;

public class TrainerTests
{
    [Fact]
    public void Trainer_SameSeed_GivesTheSameNumbers()
    {
        using var folders = new TemporaryFolder();
        using var dataset = SmallDigits.Create();
        using var first = Train(folders, dataset, SmallDigits.Options);
        using var second = Train(folders, dataset, SmallDigits.Options);
        using var other = Train(folders, dataset, SmallDigits.Options with { Seed = 4 });

        first.History.Select(row => row.Loss).Should().Equal(second.History.Select(row => row.Loss));
        Weights(first).Should().Equal(Weights(second));
        first.History[0].Loss.Should().NotBe(other.History[0].Loss);
    }

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

        var folder = RunFolder.Create(folders.Path, "interrupted");
        using var stop = new CancellationTokenSource();
        using (var interrupted = Trainer.Start(options, dataset, CPU, folder, new TrainingDisplay(new TestOutput().Console)))
        {
            CancelAfter(interrupted, steps: 6, stop);
            ((Action)(() => interrupted.Run(stop.Token))).Should().Throw<OperationCanceledException>();
            interrupted.History.Should().HaveCount(1);
        }

        using var resumed = Trainer.Resume(folder, new RunEnd(), dataset, CPU, new TrainingDisplay(new TestOutput().Console));
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
        var folder = RunFolder.Create(folders.Path, "interrupted");
        using var stop = new CancellationTokenSource();
        using (var interrupted = Trainer.Start(options, dataset, CPU, folder, new TrainingDisplay(new TestOutput().Console)))
        {
            CancelAfter(interrupted, steps: 3, stop);
            ((Action)(() => interrupted.Run(stop.Token))).Should().Throw<OperationCanceledException>();
        }

        using var resumed = Trainer.Resume(folder, new RunEnd(), dataset, CPU, new TrainingDisplay(new TestOutput().Console));
        resumed.Run(TestContext.Current.CancellationToken);
        Numbers(resumed).Should().Equal(Numbers(whole));
        Weights(resumed).Should().Equal(Weights(whole));
        resumed.History.Should().OnlyContain(row => row.ValidationAccuracy != null);
        using var plain = Train(folders, dataset, options with { ClipGradients = null });
        Weights(plain).Should().NotEqual(Weights(whole), "clipping at a small norm changes the steps");
    }

    [Fact]
    public void Trainer_WeightDecay_PullsWeightsToZeroInBothOptimizers()
    {
        using var folders = new TemporaryFolder();
        using var dataset = Small();
        foreach (var optimizer in Enum.GetValues<OptimizerKind>())
        {
            using var free = Train(folders, dataset, Tiny with { Optimizer = optimizer, WeightDecay = 0, Epochs = 1 });
            using var decayed = Train(folders, dataset, Tiny with { Optimizer = optimizer, WeightDecay = 10, Epochs = 1 });
            Weights(decayed).Sum(Math.Abs).Should().BeLessThan(Weights(free).Sum(Math.Abs));
        }
    }

    // A learning rate of next to nothing: no epoch after the first is better.
    [Fact]
    public void Trainer_NoBetterEpoch_StopsEarlyAndGoesOnWithMorePatience()
    {
        using var folders = new TemporaryFolder();
        using var dataset = SmallDigits.Create(train: 12, size: 7);
        var options = NetworkCatalog.Get("cnn").Recipe with { BatchSize = 6, MaxShift = 1, LearningRate = 1e-12, Epochs = 9, EarlyStop = 2 };
        var (folder, output) = (RunFolder.Create(folders.Path, "patient"), new TestOutput());
        using (var stopped = Trainer.Start(options, dataset, CPU, folder, new TrainingDisplay(output.Console)))
        {
            stopped.Run(TestContext.Current.CancellationToken);
            (stopped.History.Count, stopped.BestEpoch).Should().Be((3, 1));
            output.Text.Should().Contain("Stopped early: no better validation accuracy in 2 epochs than epoch 1's.");
        }

        using var resumed = Trainer.Resume(folder, new RunEnd(EarlyStop: 4), dataset, CPU, new TrainingDisplay(new TestOutput().Console));
        resumed.Run(TestContext.Current.CancellationToken);
        resumed.History.Should().HaveCount(5);
    }

    [Fact]
    public void Trainer_EarlyStopWithNothingToStopBy_IsRefused()
    {
        using var dataset = Small();
        var act = () => (Tiny with { EarlyStop = 1, Validation = 0 }).Check(dataset);
        act.Should().Throw<UserException>().WithMessage("--early-stop needs held-out images to stop by, but --validation is 0. Hold some out.");
    }

    [Fact]
    public void Trainer_SelectTest_TrainsOnAllImagesAndNamesTheTestImagesInMetrics()
    {
        using var folders = new TemporaryFolder();
        using var dataset = Small();
        var folder = RunFolder.Create(folders.Path, "select");
        using var trainer = Trainer.Start((Tiny with { Select = Selection.Test }).Resolve(), dataset, CPU, folder, new TrainingDisplay(new TestOutput().Console));
        trainer.Run(TestContext.Current.CancellationToken);
        trainer.StepsInEpoch.Should().Be(2, "12 images, none held out, in steps of 6");
        trainer.Validation!.Value.Images.Should().Be(20);
        trainer.Test(TestContext.Current.CancellationToken).Wrong.Should().Be(trainer.Validation.Value.Wrong);
        File.ReadAllLines(Path.Combine(folder.FullPath, "metrics.csv"))[0].Should().Contain("test_loss,test_accuracy").And.NotContain("validation");
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
        using var again = Trainer.Resume(RunFolder.Open(folder.FullPath), new RunEnd(), dataset, CPU, new TrainingDisplay(new TestOutput().Console));
        again.Run(TestContext.Current.CancellationToken);
        Weights(again).Should().Equal(Weights(whole));
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
        using (var one = Trainer.Start(options with { Epochs = 1 }, dataset, CPU, folder, new TrainingDisplay(new TestOutput().Console)))
        {
            one.Run(TestContext.Current.CancellationToken);
        }

        _ = torch.rand(3);      // what else draws from torch's generator makes no difference
        using var two = Trainer.Resume(folder, new RunEnd(2), dataset, CPU, new TrainingDisplay(new TestOutput().Console));
        two.Run(TestContext.Current.CancellationToken);
        Numbers(two).Should().Equal(Numbers(whole));
        Weights(two).Should().Equal(Weights(whole));
    }

    [Fact]
    public void Trainer_BFloat16_ComputesOtherNumbersThanFloat32AndSavesWhatItIs()
    {
        using var folders = new TemporaryFolder();
        using var dataset = SmallDigits.Create();
        using var full = Train(folders, dataset, SmallDigits.Options);
        using var half = Train(folders, dataset, SmallDigits.Options with { Precision = Precision.BFloat16 });
        half.History[0].Loss.Should().NotBe(full.History[0].Loss).And.BeApproximately(full.History[0].Loss, 0.02);
        half.Network.parameters().Should().OnlyContain(p => p.dtype == ScalarType.Float32, "the optimiser's weights stay whole");
        Directory.GetDirectories(folders.Path).Select(run => Checkpoint.Describe(RunFolder.Open(run).Last).Options.Precision)
            .Should().BeEquivalentTo([Precision.Float32, Precision.BFloat16]);
    }

    [Fact]
    public void Trainer_WithClock_AccountsForTheStepAndChangesNoNumber()
    {
        using var folders = new TemporaryFolder();
        using var dataset = SmallDigits.Create();
        using var plain = Train(folders, dataset, SmallDigits.Options);
        using var timed = Trainer.Start(SmallDigits.Options, dataset, CPU, RunFolder.Create(folders.Path, "timed"), new TrainingDisplay(new TestOutput().Console));
        timed.Clock = new StageClock();
        timed.Run(TestContext.Current.CancellationToken);

        Weights(timed).Should().Equal(Weights(plain));
        timed.Clock.Steps.Should().Be(8 - StageClock.Uncounted);
        var stages = timed.Clock.Stages.ToDictionary(stage => stage.Stage);
        stages.Keys.Should().Equal("input", "optimizer", "first convolution", "primary convolution", "squash", "routing", "rest of the network", "decoder", "losses", "bookkeeping");
        foreach (var name in (string[])["first convolution", "primary convolution", "squash", "routing", "decoder", "losses"])
        {
            stages[name].Forward.Should().BePositive(name);
            stages[name].Backward.Should().BePositive(name);
        }

        var sum = stages.Values.Sum(stage => stage.Forward + stage.Backward);
        sum.Should().BeLessThanOrEqualTo(timed.Clock.Whole).And.BeGreaterThan(timed.Clock.Whole / 2);
    }

    [Fact]
    public void Trainer_FinishedRunResumedWithMoreEpochs_GoesOn()
    {
        using var folders = new TemporaryFolder();
        using var dataset = SmallDigits.Create();
        using var whole = Train(folders, dataset, SmallDigits.Options);
        var folder = RunFolder.Create(folders.Path, "short");
        using (var one = Trainer.Start(SmallDigits.Options with { Epochs = 1 }, dataset, CPU, folder, new TrainingDisplay(new TestOutput().Console)))
        {
            one.Run(TestContext.Current.CancellationToken);
        }

        using var two = Trainer.Resume(folder, new RunEnd(2), dataset, CPU, new TrainingDisplay(new TestOutput().Console));
        two.Run(TestContext.Current.CancellationToken);
        Weights(two).Should().Equal(Weights(whole));
    }

    [Fact]
    public void Trainer_ResumedOnOtherImages_IsRefused()
    {
        using var folders = new TemporaryFolder();
        using var dataset = SmallDigits.Create();
        var folder = RunFolder.Create(folders.Path, "first");
        using (var first = Trainer.Start(SmallDigits.Options with { Epochs = 1 }, dataset, CPU, folder, new TrainingDisplay(new TestOutput().Console)))
        {
            first.Run(TestContext.Current.CancellationToken);
        }

        using var others = SmallDigits.Create(seed: 5);
        var act = () => Trainer.Resume(folder, new RunEnd(2), others, CPU, new TrainingDisplay(new TestOutput().Console));
        act.Should().Throw<UserException>()
            .WithMessage("The run was trained on other images than those of generated, seed 5. Give the original ones with --data, or start a new run.");
    }

    [Fact]
    public void Trainer_OfficialCodeWithoutValidation_TrainsAndCallsTheLastTheBest()
    {
        using var folders = new TemporaryFolder();
        using var dataset = SmallDigits.Create();
        using var trainer = Train(folders, dataset, SmallDigits.Options with { Preset = Preset.OfficialCode, Validation = 0 });
        trainer.BestEpoch.Should().Be(2);
        trainer.History.Should().OnlyContain(row => double.IsFinite(row.Loss) && row.ValidationAccuracy == null);
    }

    [Fact]
    public void Trainer_Run_LeavesConfigMetricsAndCheckpoints()
    {
        using var folders = new TemporaryFolder();
        using var dataset = SmallDigits.Create();
        var folder = RunFolder.Create(folders.Path, "files");
        using var trainer = Trainer.Start(SmallDigits.Options, dataset, CPU, folder, new TrainingDisplay(new TestOutput().Console, folder.Log));
        trainer.Run(TestContext.Current.CancellationToken);

        Directory.GetFiles(folder.FullPath).Select(Path.GetFileName).Should().BeEquivalentTo("best.ckpt", "config.json", "last.ckpt", "log.txt", "metrics.csv");
        var metrics = File.ReadAllLines(Path.Combine(folder.FullPath, "metrics.csv"));
        metrics.Should().HaveCount(3).And.StartWith("epoch,loss,class_loss,train_accuracy,validation_loss,validation_accuracy,learning_rate,seconds,images_per_second");
        metrics[2].Should().StartWith("2,");
        File.ReadAllText(Path.Combine(folder.FullPath, "config.json")).Should().Contain("\"Seed\": 3").And.Contain("\"Epochs\": 2");
        var config = folder.ReadConfig();
        config.Options.Should().Be(SmallDigits.Options);
        config.Hardware.Processors.Should().Be(Environment.ProcessorCount);
        (config.Versions.TorchSharp, config.TrainingImages).Should().Be(("0.107.0", 44));
    }

    [Fact]
    public void Trainer_TheSameImagesAgainAndAgain_LearnsThemByHeart()
    {
        using var folders = new TemporaryFolder();
        using var dataset = SmallDigits.Create(train: 10);
        var options = SmallDigits.Options with { Epochs = 20, BatchSize = 5, Validation = 0, MaxShift = 0, Decay = 1, LearningRate = 3e-4 };
        using var trainer = Train(folders, dataset, options);
        trainer.History[^1].Loss.Should().BeLessThan(trainer.History[0].Loss / 4);
        trainer.History[^1].TrainAccuracy.Should().Be(1);
    }

    [Fact]
    public void Trainer_EnormousLearningRate_StopsInWordsAndKeepsEarlierCheckpoints()
    {
        using var folders = new TemporaryFolder();
        using var dataset = SmallDigits.Create();
        var folder = RunFolder.Create(folders.Path, "diverging");
        using var trainer = Trainer.Start(SmallDigits.Options with { LearningRate = 1e30 }, dataset, CPU, folder, new TrainingDisplay(new TestOutput().Console));
        var act = () => trainer.Run(TestContext.Current.CancellationToken);
        act.Should().Throw<UserException>().WithMessage("Training has diverged: in epoch 1, the loss of step 2 is NaN. Use a smaller --learning-rate;*");
        File.Exists(folder.Last).Should().BeFalse("no NaN weights are written");
    }

    // A step that made them so shows in the loss of the next, and a save may come between.
    [Fact]
    public void Trainer_WeightsThatAreNoNumbers_DoNotTakeTheCheckpointsPlace()
    {
        using var folders = new TemporaryFolder();
        using var dataset = Small();
        var folder = RunFolder.Create(folders.Path, "diverging");
        using var trainer = Trainer.Start(Tiny with { Epochs = 2 }, dataset, CPU, folder, new TrainingDisplay(new TestOutput().Console));
        using var stop = new CancellationTokenSource();
        CancelAfter(trainer, steps: 1, stop);
        ((Action)(() => trainer.Run(stop.Token))).Should().Throw<OperationCanceledException>();
        var saved = File.ReadAllBytes(folder.Last);
        using (no_grad())
        {
            trainer.Network.parameters().First().fill_(float.NaN);
        }

        ((Action)(() => trainer.Run(stop.Token))).Should().Throw<UserException>().WithMessage("Training has diverged: in epoch 1, the weights are no longer numbers.*");

        File.ReadAllBytes(folder.Last).Should().Equal(saved);
    }

    [Fact]
    public void Trainer_Steps_LeaveNoTensorBehind()
    {
        using var folders = new TemporaryFolder();
        using var dataset = SmallDigits.Create();
        long After(int epochs)
        {
            Train(folders, dataset, SmallDigits.Options with { Epochs = epochs }).Dispose();
            for (var round = 0; round < 3; round++)      // what a finalizer lets go of may have one too
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }

            return Tensor.TotalCount;
        }

        // What a whole run leaves is one thing, what its steps add to it another.
        var start = After(1);
        var one = After(1) - start;
        var three = After(3) - start - one;
        three.Should().BeLessThanOrEqualTo(one, "what stays must not grow with the steps");
    }

    private static ImageDataset Small() => SmallDigits.Create(train: 12);

    // Efficient-CapsNet: the fastest of the networks with routing.
    private static TrainingOptions Tiny => NetworkCatalog.Get("efficient").Recipe with
    {
        Dataset = BuiltInDigits.Name, Epochs = 2, BatchSize = 6, Seed = 3, ReconstructionWeight = 0,
    };

    private static IEnumerable<EpochResult> Numbers(Trainer trainer) => trainer.History.Select(row => row with { Seconds = 0, ImagesPerSecond = 0 });

    private static Trainer Train(TemporaryFolder folders, ImageDataset dataset, TrainingOptions options)
    {
        var trainer = Trainer.Start(options, dataset, CPU, RunFolder.Create(folders.Path, dataset.Name), new TrainingDisplay(new TestOutput().Console));
        trainer.Run(TestContext.Current.CancellationToken);
        return trainer;
    }

    private static void CancelAfter(Trainer trainer, int steps, CancellationTokenSource stop)
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

    private static float[] Weights(Trainer trainer) =>
        trainer.Network.parameters().SelectMany(p => p.detach().flatten().narrow(0, 0, Math.Min(500, p.numel())).data<float>().ToArray()).ToArray();
}
