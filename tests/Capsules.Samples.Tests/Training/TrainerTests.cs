using TorchSharp;
using static Capsules.Samples.Tests.Training.SmallRuns;
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

        using var resumed = Trainer.Resume(folder, new RunEnd(EarlyStop: 4), dataset, CPU, Silent);
        resumed.Run(TestContext.Current.CancellationToken);
        resumed.History.Should().HaveCount(5);
    }

    [Fact]
    public void Trainer_EnoughAccuracy_StopsAndGoesOnWhereMoreIsAskedFor()
    {
        using var folders = new TemporaryFolder();
        using var dataset = SmallDigits.Create(train: 12, size: 7);
        var options = NetworkCatalog.Get("cnn").Recipe with { BatchSize = 6, MaxShift = 1, Epochs = 9, Select = Selection.Test, StopAt = 0.0001 };
        var (folder, output) = (RunFolder.Create(folders.Path, "enough"), new TestOutput());
        using (var stopped = Trainer.Start(options, dataset, CPU, folder, new TrainingDisplay(output.Console)))
        {
            stopped.Run(TestContext.Current.CancellationToken);
            stopped.History.Should().HaveCount(stopped.History.Count(row => row.ValidationAccuracy == 0) + 1, "the first epoch with any right one is enough");
            output.Text.Should().Contain($"Stopped as told: epoch {stopped.History.Count}'s test accuracy has reached 0.01 %.");
        }

        using var resumed = Trainer.Resume(folder, new RunEnd(Epochs: 9, StopAt: 1), dataset, CPU, Silent);
        resumed.Run(TestContext.Current.CancellationToken);
        (resumed.History.Count == 9 || resumed.History[^1].ValidationAccuracy == 1).Should().BeTrue();
    }

    [Theory]
    [InlineData(1, null, "--early-stop")]
    [InlineData(0, 0.9, "--stop-at")]
    public void Trainer_StopWithNothingToStopBy_IsRefused(int patience, double? enough, string option)
    {
        using var dataset = Small();
        var act = () => (Tiny with { EarlyStop = patience, StopAt = enough, Validation = 0 }).Check(dataset);
        act.Should().Throw<UserException>().WithMessage($"{option} needs held-out images to stop by, but --validation is 0. Hold some out.");
    }

    [Fact]
    public void Trainer_StopWithTooFewImagesToHoldAnyOut_IsRefused()
    {
        using var dataset = SmallDigits.Create(train: 9);
        var act = () => (Tiny with { EarlyStop = 1 }).Check(dataset);
        act.Should().Throw<UserException>().WithMessage("--early-stop needs held-out images to stop by, but of 9 training images none is: at most a tenth are. Leave it out.");
        (Tiny with { EarlyStop = 1, Select = Selection.Test }).Check(dataset);
    }

    [Fact]
    public void Trainer_SelectTest_TrainsOnAllImagesAndNamesTheTestImagesInMetrics()
    {
        using var folders = new TemporaryFolder();
        using var dataset = Small();
        var folder = RunFolder.Create(folders.Path, "select");
        using var trainer = Trainer.Start((Tiny with { Select = Selection.Test }).Resolve(), dataset, CPU, folder, Silent);
        trainer.Run(TestContext.Current.CancellationToken);
        trainer.StepsInEpoch.Should().Be(2, "12 images, none held out, in steps of 6");
        trainer.Validation!.Value.Images.Should().Be(20);
        trainer.Test(TestContext.Current.CancellationToken).Wrong.Should().Be(trainer.Validation.Value.Wrong);
        File.ReadAllLines(Path.Combine(folder.FullPath, "metrics.csv"))[0].Should().Contain("test_loss,test_accuracy").And.NotContain("validation");
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
        using var timed = Trainer.Start(SmallDigits.Options, dataset, CPU, RunFolder.Create(folders.Path, "timed"), Silent);
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
        using var trainer = Trainer.Start(SmallDigits.Options with { LearningRate = 1e30 }, dataset, CPU, folder, Silent);
        var act = () => trainer.Run(TestContext.Current.CancellationToken);
        act.Should().Throw<UserException>().WithMessage("Training has diverged: in epoch 1, in step 2 the loss is NaN. Use a smaller --learning-rate;*");
        File.Exists(folder.Last).Should().BeFalse("no NaN weights are written");
    }

    // A step that made them so shows in the loss of the next, and a save may come between.
    [Fact]
    public void Trainer_WeightsThatAreNoNumbers_DoNotTakeTheCheckpointsPlace()
    {
        using var folders = new TemporaryFolder();
        using var dataset = Small();
        var folder = RunFolder.Create(folders.Path, "diverging");
        using var trainer = Trainer.Start(Tiny with { Epochs = 2 }, dataset, CPU, folder, Silent);
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

    // A Parameter takes the memory over from the tensor that it is made of, and TorchSharp 0.107.0 counts the emptied object for good:
    // of every network one each stays in the count, and nothing in memory.
    [Fact]
    public void Trainer_Run_LeavesNoTensorBehind()
    {
        using var folders = new TemporaryFolder();
        using var dataset = SmallDigits.Create();
        Left(epochs: 1);      // what is made once in a process is made now
        foreach (var epochs in (int[])[1, 3])
        {
            // Fewer where what another test left was let go of meanwhile.
            var (left, parameters) = Left(epochs);
            left.Should().BeLessThanOrEqualTo(parameters, $"what stays must not grow with the steps, and {epochs} epochs were trained");
        }

        (long Left, long Parameters) Left(int epochs)
        {
            var (before, count) = (Settled(), 0L);
            using (var trainer = Train(folders, dataset, SmallDigits.Options with { Epochs = epochs }))
            {
                count = trainer.Network.parameters().LongCount();
            }

            return (Settled() - before, count);
        }

        static long Settled()
        {
            for (var round = 0; round < 3; round++)      // what a finalizer lets go of may have one too
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }

            return Tensor.TotalCount;
        }
    }
}
