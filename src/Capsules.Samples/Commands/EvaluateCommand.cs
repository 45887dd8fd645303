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
        var device = CommonOptions.Device();
        var threads = CommonOptions.Threads();
        var command = new Command("evaluate", "Measure a trained network on the test images.") { run, dataset, data, device, threads };
        command.SetBackgroundAction((result, cancellation) => RunAsync(AnsiConsole.Console, result.GetValue(run)!, result.GetValue(dataset), result.GetValue(data),
            result.GetValue(device)!, result.GetValue(threads), cancellation));
        return command;
    }

    private static async Task<int> RunAsync(
        IAnsiConsole console, string run, string? name, string? data, string device, int threads, CancellationToken cancellation)
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
            var test = default(Evaluation);
            new TrainingDisplay(console).Track("test", dataset.Test.Count, report => test = Evaluator.Run(
                network, dataset.Test, Batches.InOrder(dataset.Test.Count), place, done => report(done, $"{done}/{dataset.Test.Count} images"), cancellation));
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
