using System.CommandLine;
using Spectre.Console;

namespace Capsules.Samples;

/// <summary><c>evaluate</c>: the test error of a run.</summary>
internal static class EvaluateCommand
{
    public static Command Create()
    {
        var run = new Argument<string>("run") { Description = "A run folder, of which the best checkpoint is taken, or a checkpoint file." };
        var dataset = new Option<string?>("--dataset") { Description = $"The images: {string.Join(", ", DatasetCatalog.Names.Keys)}. [default: those that the run was trained on]" };
        var data = CommonOptions.Data();
        var images = CommonOptions.Valid(new Option<long?>("--images")
        {
            Description = "Test images: fewer than there are, or, where they are made when asked for (datasets says how many can be), more. [default: as many as are stored]",
        }, count => count >= 1, "at least 1");
        var device = CommonOptions.Device();
        var threads = CommonOptions.Threads();
        var command = new Command("evaluate", "Measure a trained network on the test images.") { run, dataset, data, images, device, threads };
        command.SetBackgroundAction((result, cancellation) => RunAsync(AnsiConsole.Console, result.GetValue(run)!, result.GetValue(dataset), result.GetValue(data),
            result.GetValue(images), result.GetValue(device)!, result.GetValue(threads), cancellation));
        return command;
    }

    private static async Task<int> RunAsync(
        IAnsiConsole console, string run, string? name, string? data, long? images, string device, int threads, CancellationToken cancellation)
    {
        var place = Session.Open(device, threads);
        var path = RunFolder.BestIn(run);
        if (Directory.Exists(run) && path == RunFolder.Open(run).Last)
        {
            console.Say("The run has no finished epoch, and so no best checkpoint: this is the last one.");
        }

        var (checkpoint, network, _) = Checkpoint.Load(path, place);
        using (network)
        {
            using var dataset = await TrainingRun.OpenAsync(
                console, name ??= checkpoint.Dataset.Name, data, checkpoint.Dataset.OptionsFor(name), cancellation);
            checkpoint.Dataset.RequireKind(dataset);
            console.Say($"{path}, {NetworkCatalog.Get(checkpoint.Options.Model).Title}, epoch {checkpoint.State.History.Count}, on {dataset.Name} ({dataset.Source})");
            var (test, count, most) = (default(Evaluation), images ?? dataset.Test.Count, dataset.Test.Count * dataset.Test.Variations);
            if (count > most)
            {
                throw new UserException($"--images is {count:N0}, but {dataset.Name} has {most:N0} test images. Give at most as many.");
            }

            new TrainingDisplay(console).Track("test", count, report => test = Evaluator.Run(
                network, dataset.Test, Batches.InOrder(count), place, done => report(done, $"{done}/{count} images"), cancellation));
            RunReport.Show(console, _ => { },
            [
                .. RunReport.Rows(test, NetworkCatalog.Get(checkpoint.Options.Model).PublishedOn(dataset)),
                (network.LossName, $"{test.Loss:f5}", ""),
                ("inference", $"{test.ImagesPerSecond:f0} images/s", ""),
            ]);
        }

        return 0;
    }
}
