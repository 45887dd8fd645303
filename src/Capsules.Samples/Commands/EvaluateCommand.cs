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
            Description = CommonOptions.Run().Description + " With --ensemble several, or the folder of train --seeds.",
            Arity = ArgumentArity.OneOrMore,
        };
        var ensemble = new Option<bool>("--ensemble") { Description = "Take the runs together: their scores, which are lengths of class capsules, are summed." };
        var dataset = new Option<string?>("--dataset") { Description = $"The images: {string.Join(", ", DatasetCatalog.Names.Keys)}. [default: those that the run was trained on]" };
        var data = CommonOptions.Data();
        var images = CommonOptions.Valid(new Option<long?>("--images")
        {
            Description = "Test images: fewer than there are, or, where they are made when asked for (datasets says how many can be), more. [default: as many as are stored]",
        }, count => count >= 1, "at least 1");
        var device = CommonOptions.Device();
        var threads = CommonOptions.Threads();
        var command = new Command("evaluate", "Measure a trained network on the test images.") { runs, ensemble, dataset, data, images, device, threads };
        command.SetBackgroundAction((result, cancellation) =>
        {
            var (given, name) = (result.GetValue(runs)!, result.GetValue(dataset));
            var machine = new MachineSettings(result.GetValue(device)!, result.GetValue(threads), result.GetValue(data));
            if (result.GetValue(ensemble))
            {
                return EnsembleEvaluation.RunAsync(AnsiConsole.Console, given, name, result.GetValue(images), machine, cancellation);
            }

            return given.Length == 1 && !SeedPlan.IsIn(given[0])
                ? RunAsync(AnsiConsole.Console, given[0], name, result.GetValue(images), machine, cancellation)
                : throw new UserException("Several runs are evaluated as one: give --ensemble, or one run.");
        });
        return command;
    }

    /// <summary>The addresses of so many test images; of as many as are stored where no number is given.</summary>
    /// <exception cref="UserException">There are not so many.</exception>
    public static long[] Addresses(ImageDataset dataset, long? images)
    {
        var most = dataset.Test.Count * dataset.Test.Variations;
        return images > most
            ? throw new UserException($"--images is {images:N0}, but {dataset.Name} has {most:N0} test images. Give at most as many.")
            : Batches.InOrder(images ?? dataset.Test.Count);
    }

    private static async Task<int> RunAsync(
        IAnsiConsole console, string run, string? name, long? images, MachineSettings machine, CancellationToken cancellation)
    {
        var place = Session.Open(machine.Device, machine.Threads);
        var path = RunFolder.BestIn(run);
        if (Directory.Exists(run) && path == RunFolder.Open(run).Last)
        {
            console.Say("The run has no finished epoch, and so no best checkpoint: this is the last one.");
        }

        var (checkpoint, network) = Checkpoint.Load(path, place);
        using (network)
        {
            using var dataset = await TrainingRun.OpenAsync(
                console, name ??= checkpoint.Dataset.Name, machine.Data, checkpoint.Dataset.OptionsFor(name), cancellation);
            checkpoint.Dataset.RequireKind(dataset);
            console.Say($"{path}, {NetworkCatalog.Get(checkpoint.Options.Model).Title}, epoch {checkpoint.State.History.Count}, on {dataset.Name} ({dataset.Source})");
            var indices = Addresses(dataset, images);
            var test = new TrainingDisplay(console).TrackImages(
                "test", indices.Length, report => Evaluator.Run(network, dataset.Test, indices, place, report, cancellation));
            RunReport.Show(console, _ => { },
            [
                .. RunReport.Rows(test, NetworkCatalog.Get(checkpoint.Options.Model).PublishedOn(checkpoint.Options, dataset)),
                (network.LossName, $"{test.Loss:f5}", ""),
                ("inference", $"{test.ImagesPerSecond:f0} images/s", ""),
            ]);
        }

        return 0;
    }
}
