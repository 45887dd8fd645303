using System.Diagnostics;
using Spectre.Console;
using TorchSharp;

namespace Capsules.Samples;

/// <summary>A training from opening the dataset to the closing table; what <c>train</c> and the quick start share.</summary>
internal static class TrainingRun
{
    /// <summary>Exit code of a run that Ctrl-C ended after saving.</summary>
    public const int Interrupted = 130;

    /// <summary>Starts a run.</summary>
    /// <returns>The exit code.</returns>
    public static async Task<int> StartAsync(
        IAnsiConsole console, TrainingOptions options, string output, MachineSettings machine,
        string precision = PrecisionChoice.Float32, CancellationToken cancellation = default)
    {
        var place = Session.Open(machine.Device, machine.Threads);
        (options, var dataset) = await PrepareAsync(console, options, place, machine, precision, cancellation);
        using (dataset)
        {
            var folder = RunFolder.Create(output, $"{dataset.Name}-{options.Model}");
            return Train(console, dataset, place, folder, machine, display => Trainer.Start(options, dataset, place, folder, display), cancellation);
        }
    }

    /// <summary>Resolves the options of a new run and opens its dataset, which the caller owns.</summary>
    public static async Task<(TrainingOptions Options, ImageDataset Dataset)> PrepareAsync(
        IAnsiConsole console, TrainingOptions options, torch.Device device, MachineSettings machine, string precision, CancellationToken cancellation)
    {
        machine.Check(device);
        options = options.Resolve() with { Precision = PrecisionChoice.Resolve(precision, device, console) };
        var dataset = await OpenAsync(console, options.Dataset, machine.Data, options.DatasetOptions, cancellation);
        try
        {
            options.Check(dataset);

            // Made to see that it can be, and that it can have replicas, while there is no run folder yet.
            using var network = new Checkpoint(options, DatasetFacts.Of(dataset), new TrainingState()).MakeNetwork();
            Replicas.Check(network, Replicas.Devices(machine.Replicas, device).Count);
            return (options, dataset);
        }
        catch
        {
            dataset.Dispose();
            throw;
        }
    }

    /// <summary>Goes on with a run.</summary>
    /// <returns>The exit code.</returns>
    public static async Task<int> ResumeAsync(
        IAnsiConsole console, RunFolder folder, RunEnd end, MachineSettings machine, CancellationToken cancellation = default)
    {
        var place = Session.Open(machine.Device, machine.Threads);
        machine.Check(place);
        var (facts, state) = folder.Describe();
        if (end.Epochs < state.History.Count)
        {
            throw new UserException($"The run has {state.History.Count} epochs behind it and cannot end after {end.Epochs}. Give a larger --epochs.");
        }

        using var dataset = await OpenAsync(console, facts.Name, machine.Data, facts.OptionsFor(facts.Name), cancellation);
        return Train(console, dataset, place, folder, machine, display => Trainer.Resume(folder, end, dataset, place, display), cancellation);
    }

    /// <summary>Opens a dataset and says what it is and what is special about it.</summary>
    public static async Task<ImageDataset> OpenAsync(
        IAnsiConsole console, string name, string? data, DatasetOptions options, CancellationToken cancellation)
    {
        var shown = 0L;
        return await DatasetCatalog.OpenAsync(name, data, console.Say, options, progress =>
        {
            // Every 2 MiB of a download.
            if (progress.Done >> 21 != shown)
            {
                shown = progress.Done >> 21;
                console.Say($"  {progress.File}: {progress.Done >> 20} MiB{(progress.Total is { } total ? $" of {total >> 20}" : "")}");
            }
        }, cancellation);
    }

    /// <summary>Trains in a run folder, from wherever the trainer stands, and closes the run.</summary>
    /// <param name="console">Where progress is shown.</param>
    /// <param name="dataset">The dataset.</param>
    /// <param name="device">Where it computes.</param>
    /// <param name="folder">The run's folder.</param>
    /// <param name="machine">How it computes.</param>
    /// <param name="make">Prepares the trainer, once the folder is held.</param>
    /// <param name="cancellation">Saves and stops.</param>
    /// <param name="resumable">The folder that <c>--resume</c> is to be given after a stop. Default: the run's.</param>
    /// <returns>The exit code.</returns>
    public static int Train(
        IAnsiConsole console, ImageDataset dataset, torch.Device device, RunFolder folder, MachineSettings machine, Func<TrainingDisplay, Trainer> make,
        CancellationToken cancellation, string? resumable = null)
    {
        using var hold = folder.Hold();
        var display = new TrainingDisplay(console, folder.Log);
        using var trainer = make(display);
        using var events = new RunEvents(folder.FullPath);
        (trainer.Events, trainer.SaveEvery, trainer.Clock) = (events, machine.SaveEvery, machine.Profile ? new StageClock() : null);
        trainer.Replicas = machine.Replicas;
        trainer.Anomaly = machine.DetectAnomaly ? new AnomalyWatch(trainer.Network) : null;
        trainer.EpochEnded = () => Draw(folder, dataset, trainer);
        display.Line($"{dataset.Name} ({dataset.Source}): {RunReport.Count(dataset.Train.Count)} training and {RunReport.Count(dataset.Test.Count)} test images, on {ComputeDevice.Describe(device)}{(trainer.Replicas > 1 ? $", {trainer.Replicas} replicas" : "")}");
        display.Line($"run folder: {folder.FullPath}");
        if (trainer.Options.ImagesPerEpoch > trainer.ImagesAvailable)
        {
            display.Line(
                $"--images is {RunReport.Count(trainer.Options.ImagesPerEpoch.Value)}, but an epoch has {RunReport.Count(trainer.ImagesAvailable)}: " +
                "all training images that are not held out (--validation).");
        }

        if (trainer.Options.Select.Warning() is { } warning)
        {
            display.Line($"the best checkpoint is {warning}");
        }

        var clock = Stopwatch.StartNew();
        try
        {
            trainer.Run(cancellation);
            ClosingReport.Show(console, dataset, device, folder, trainer, display, clock, cancellation);
            return 0;
        }
        catch (OperationCanceledException)
        {
            display.Line(File.Exists(folder.Last) ? $"Stopped and saved. Go on with: train --resume \"{resumable ?? folder.FullPath}\"" : "Stopped before the first step.");
            return Interrupted;
        }
    }

    private static void Draw(RunFolder folder, ImageDataset dataset, Trainer trainer)
    {
        RunPlots.Write(folder.FullPath, $"{NetworkCatalog.Get(trainer.Options.Model).Title} on {dataset.Name}", trainer.Options, trainer.History,
            trainer.StepsInEpoch, trainer.Events!.StepLosses);
        if (trainer.Validation?.Confusion is { } confusion)
        {
            ConfusionPlot.Write(folder.Confusion, confusion, dataset.ClassNames, trainer.Options.Select.Images());
        }
    }
}
