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
        IAnsiConsole console, TrainingOptions options, string? data, string output, string device, int threads,
        bool profile = false, string precision = PrecisionChoice.Float32, CancellationToken cancellation = default)
    {
        var place = Session.Open(device, threads);
        options = options with { Precision = PrecisionChoice.Resolve(precision, place, console) };
        using var dataset = await OpenAsync(console, options.Dataset, data, new DatasetOptions(options.ImageSize, options.Grey), cancellation);
        options.Check(dataset);
        var folder = RunFolder.Create(output, $"{dataset.Name}-{options.Model}");
        return Train(console, dataset, place, folder, profile, display => Trainer.Start(options, dataset, place, folder, display), cancellation);
    }

    /// <summary>Goes on with a run.</summary>
    /// <returns>The exit code.</returns>
    public static async Task<int> ResumeAsync(
        IAnsiConsole console, RunFolder folder, int? epochs, string? data, string device, int threads,
        bool profile = false, CancellationToken cancellation = default)
    {
        var place = Session.Open(device, threads);
        var checkpoint = Checkpoint.Describe(folder.Last);
        if (epochs < checkpoint.State.History.Count)
        {
            throw new UserException($"The run has {checkpoint.State.History.Count} epochs behind it and cannot end after {epochs}. Give a larger --epochs.");
        }

        using var dataset = await OpenAsync(console, checkpoint.Dataset.Name, data, checkpoint.Dataset.OptionsFor(checkpoint.Dataset.Name), cancellation);
        return Train(console, dataset, place, folder, profile, display => Trainer.Resume(folder, epochs, dataset, place, display), cancellation);
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

    private static int Train(
        IAnsiConsole console, ImageDataset dataset, torch.Device device, RunFolder folder, bool profile, Func<TrainingDisplay, Trainer> make, CancellationToken cancellation)
    {
        var display = new TrainingDisplay(console, folder.Log);
        using var trainer = make(display);
        trainer.Clock = profile ? new StageClock() : null;
        display.Line($"{dataset.Name} ({dataset.Source}): {RunReport.Count(dataset.Train.Count)} training and {RunReport.Count(dataset.Test.Count)} test images, on {ComputeDevice.Describe(device)}");
        display.Line($"run folder: {folder.FullPath}");
        var clock = Stopwatch.StartNew();
        try
        {
            trainer.Run(cancellation);
            Report(console, dataset, device, folder, trainer, display, clock, cancellation);
            return 0;
        }
        catch (OperationCanceledException)
        {
            display.Line(File.Exists(folder.Last) ? $"Stopped and saved. Go on with: train --resume \"{folder.FullPath}\"" : "Stopped before the first step.");
            return Interrupted;
        }
    }

    private static void Report(
        IAnsiConsole console, ImageDataset dataset, torch.Device device, RunFolder folder, Trainer trainer, TrainingDisplay display, Stopwatch clock, CancellationToken cancellation)
    {
        var last = trainer.Test(cancellation);
        var paper = NetworkCatalog.Get(trainer.Model).PublishedOn(dataset);
        var rows = RunReport.Rows(last, paper).ToList();
        rows.Add(("parameters", RunReport.Count(trainer.Network.parameters().Sum(p => p.numel())),
            (trainer.Network.HasDecoder ? paper?.ParametersWithDecoder : paper?.Parameters) ?? ""));
        rows.Add(("epochs", $"{trainer.History.Count}", ""));
        rows.Add(("training and evaluation", $"{clock.Elapsed:h\\:mm\\:ss}", ""));
        rows.Add(("inference", $"{last.ImagesPerSecond:f0} images/s", ""));
        RunReport.Show(console, folder.Log, rows);
        if (trainer.Clock is { } stages)
        {
            ProfileReport.Show(console, folder.Log, stages);
        }

        if (trainer.Network.HasDecoder && dataset.Test.Objects == 1)
        {
            ReconstructionSheet.Write(folder.Reconstructions, trainer.Network, dataset.Test, dataset.ClassNames, device);
            display.Line($"test images beside their reconstructions: {folder.Reconstructions}");
        }

        if (trainer.BestEpoch != trainer.History.Count)
        {
            display.Line($"epoch {trainer.BestEpoch} was best on the held-out images; for its test error: evaluate \"{folder.Best}\"");
        }
    }
}
