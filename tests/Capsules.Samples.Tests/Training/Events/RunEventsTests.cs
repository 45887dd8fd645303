using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Training.Events;

public class RunEventsTests
{
    [Fact]
    public void RunEvents_RunStoppedAndResumed_TellsOfEveryStepAndEpochOnce()
    {
        using var folders = new TemporaryFolder();
        using var dataset = SmallDigits.Create(train: 20);
        var options = NetworkCatalog.Get("efficient").Recipe with { Dataset = BuiltInDigits.Name, Epochs = 2, BatchSize = 6, Seed = 3 };
        var folder = RunFolder.Create(folders.Path, "run");

        // Killed after the fifth step: events of it are there and no checkpoint later than the first epoch's.
        using (var trainer = Trainer.Start(options, dataset, CPU, folder, new TrainingDisplay(new TestOutput().Console)))
        using (var events = new RunEvents(folder.FullPath))
        {
            (trainer.Events, trainer.SaveEvery) = (events, TimeSpan.FromDays(1));
            var steps = 0;
            trainer.Network.register_forward_pre_hook((_, input) => trainer.Network.training && ++steps == 6 ? throw new InvalidOperationException("killed") : input);
            ((Action)(() => trainer.Run(TestContext.Current.CancellationToken))).Should().Throw<InvalidOperationException>();
        }

        Tags(folder)["step/loss"].Should().Equal(1L, 2, 3, 4, 5);
        using (var trainer = Trainer.Resume(folder, new RunEnd(), dataset, CPU, new TrainingDisplay(new TestOutput().Console)))
        using (var events = new RunEvents(folder.FullPath))
        {
            trainer.Events = events;
            trainer.Run(TestContext.Current.CancellationToken);
            events.StepLosses.Should().HaveCount(6);
            events.StepLosses.Take(3).Average().Should().BeApproximately(trainer.History[0].Loss, 1e-5, "steps are of 6 images alike");
        }

        var tags = Tags(folder);
        tags["step/loss"].Should().Equal(1L, 2, 3, 4, 5, 6);
        tags["step/learning_rate"].Should().Equal(1L, 2, 3, 4, 5, 6);
        foreach (var tag in (string[])["loss", "class_loss", "train_accuracy", "validation_loss", "validation_accuracy", "learning_rate", "images_per_second",
            "capsule_lengths", "couplings", "reconstructions"])
        {
            tags[$"epoch/{tag}"].Should().Equal([1L, 2], tag);
        }

        var picture = Events(folder).Last(happening => happening.Summary.Value[0].Tag == "epoch/reconstructions").Summary.Value[0].Image;
        (picture.Width, picture.Height).Should().Be((17 * 2, 17 * 2), "of two held-out images, each above its reconstruction");
        using var bitmap = SkiaSharp.SKBitmap.Decode(picture.EncodedImageString.ToByteArray());
        (bitmap.Width, bitmap.Height).Should().Be((picture.Width, picture.Height));
    }

    [Fact]
    public void Watch_ThatFails_LeavesTheNetworkInTraining()
    {
        using var folder = new TemporaryFolder();
        using var inspection = TestRun.Inspect(folder.Path);
        using var events = new RunEvents(folder.Path);
        inspection.Network.train();
        inspection.Network.register_forward_pre_hook((_, _) => throw new InvalidOperationException("failed"));

        ((Action)(() => events.Watch(1, inspection.Network, inspection.Dataset.Test, [0, 1], CPU))).Should().Throw<InvalidOperationException>();

        inspection.Network.training.Should().BeTrue();
    }

    private static List<Tensorboard.Event> Events(RunFolder folder) =>
        [.. EventFile.Read(EventFile.Find(folder.FullPath)!).Where(happening => happening.Summary is not null)];

    private static Dictionary<string, List<long>> Tags(RunFolder folder) => Events(folder)
        .GroupBy(happening => happening.Summary.Value[0].Tag)
        .ToDictionary(group => group.Key, group => group.Select(happening => happening.Step).ToList());
}
