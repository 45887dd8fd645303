using System.Diagnostics;
using Spectre.Console;
using TorchSharp;

namespace Capsules.Samples;

/// <summary>The end of a run: the test images are looked at, and what came out is told, drawn and written to result.json.</summary>
internal static class ClosingReport
{
    public static void Show(
        IAnsiConsole console, ImageDataset dataset, torch.Device device, RunFolder folder, Trainer trainer, TrainingDisplay display, Stopwatch clock,
        CancellationToken cancellation)
    {
        var (options, epochs, isLastBest) = (trainer.Options, trainer.History.Count, trainer.BestEpoch == trainer.History.Count);
        var last = trainer.Test(cancellation);
        var best = isLastBest ? last : TestBest(dataset, device, folder, display, cancellation);
        var paper = NetworkCatalog.Get(options.Model).PublishedOn(options, dataset);
        var rows = RunReport.Rows(last, paper, isLastBest ? "" : $", last epoch ({epochs})").ToList();
        if (!isLastBest)
        {
            rows.AddRange(RunReport.Rows(best, null, $", best {options.Select.Images()} epoch ({trainer.BestEpoch})"));
        }

        if (options.Select.Warning() is { } warning)
        {
            rows.Add(("best epoch", warning, ""));
        }

        rows.Add(("parameters", RunReport.Count(trainer.Network.parameters().Sum(p => p.numel())),
            (trainer.Network.HasDecoder ? paper?.ParametersWithDecoder : paper?.Parameters) ?? ""));
        rows.Add(("epochs", $"{epochs}", ""));
        rows.Add(("training", Duration(TimeSpan.FromSeconds(trainer.History.Sum(row => row.Seconds))), ""));
        rows.Add(("this command", Duration(clock.Elapsed), ""));
        rows.Add(("inference", $"{last.ImagesPerSecond:f0} images/s", ""));
        RunReport.Show(console, folder.Log, rows);
        if (trainer.Clock is { } stages)
        {
            ProfileReport.Show(console, folder.Log, stages);
        }

        if (last.Confusion is { } confusion)
        {
            ConfusionPlot.Write(folder.Confusion, confusion, dataset.ClassNames, "test");
        }

        if (trainer.Network.HasDecoder && dataset.Test.Objects == 1)
        {
            ReconstructionSheet.Write(folder.Reconstructions, trainer.Network, dataset.Test, dataset.ClassNames, device);
            display.Line($"test images beside their reconstructions: {folder.Reconstructions}");
        }

        folder.WriteResult(new RunResult(options.Seed, epochs, trainer.BestEpoch, options.Select.Images(), last.Images, last.Wrong, best.Wrong));
    }

    private static string Duration(TimeSpan time) => $"{(long)time.TotalHours}:{time:mm\\:ss}";

    private static Evaluation TestBest(ImageDataset dataset, torch.Device device, RunFolder folder, TrainingDisplay display, CancellationToken cancellation)
    {
        var (_, network) = Checkpoint.Load(folder.Best, device);
        using (network)
        {
            var indices = Batches.InOrder(dataset.Test.Count);
            return display.TrackImages(
                "test of the best", indices.Length, report => Evaluator.Run(network, dataset.Test, indices, device, report, cancellation));
        }
    }
}
