using System.CommandLine;
using Spectre.Console;

namespace Capsules.Samples;

/// <summary><c>evaluate</c>: the test error of a run.</summary>
internal static class EvaluateCommand
{
    public static Command Create()
    {
        var runs = new Argument<string[]>("run")
        {
            Description = "A run folder, of which the best checkpoint is taken, or a checkpoint file; with --ensemble several, or the folder of train --seeds.",
            Arity = ArgumentArity.OneOrMore,
        };
        var ensemble = new Option<bool>("--ensemble") { Description = "Take the runs together: their scores, which are lengths of class capsules, are summed." };
        var dataset = new Option<string?>("--dataset") { Description = $"The images: {string.Join(", ", DatasetCatalog.Names.Keys)}. [default: those that the run was trained on]" };
        var data = CommonOptions.Data();
        var device = CommonOptions.Device();
        var threads = CommonOptions.Threads();
        var command = new Command("evaluate", "Measure a trained network on the test images.") { runs, ensemble, dataset, data, device, threads };
        command.SetBackgroundAction((result, cancellation) =>
        {
            var given = result.GetValue(runs)!;
            if (result.GetValue(ensemble))
            {
                var machine = new MachineSettings(result.GetValue(device)!, result.GetValue(threads), result.GetValue(data));
                return EnsembleEvaluation.RunAsync(AnsiConsole.Console, given, result.GetValue(dataset), machine, cancellation);
            }

            return given.Length == 1 && !SeedPlan.IsIn(given[0])
                ? RunAsync(AnsiConsole.Console, given[0], result.GetValue(dataset), result.GetValue(data), result.GetValue(device)!, result.GetValue(threads), cancellation)
                : throw new UserException("Several runs are evaluated as one: give --ensemble, or one run.");
        });
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
            using var dataset = await TrainingRun.OpenAsync(console, name ?? checkpoint.Dataset.Name, data, cancellation);
            checkpoint.Dataset.RequireKind(dataset);
            console.Say($"{path}, {NetworkCatalog.Get(checkpoint.Options.Model).Title}, epoch {checkpoint.State.History.Count}, on {dataset.Name} ({dataset.Source})");
            var test = default(Evaluation);
            new TrainingDisplay(console).Track("test", dataset.Test.Count, report => test = Evaluator.Run(
                network, dataset.Test, Batches.InOrder(dataset.Test.Count), place, done => report(done, $"{done}/{dataset.Test.Count} images"), cancellation));
            RunReport.Show(console, _ => { },
            [
                .. RunReport.Rows(test, dataset.IsOriginal ? NetworkCatalog.Get(checkpoint.Options.Model).Published : null),
                (network.LossName, $"{test.Loss:f5}", ""),
                ("inference", $"{test.ImagesPerSecond:f0} images/s", ""),
            ]);
        }

        return 0;
    }
}
