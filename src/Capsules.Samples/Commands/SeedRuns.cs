using Spectre.Console;
using TorchSharp;

namespace Capsules.Samples;

/// <summary>Several runs that differ in their seed alone, one after the other in one folder, and what they reached together.</summary>
internal static class SeedRuns
{
    /// <summary>Starts them, in a folder that is made once the dataset is at hand.</summary>
    /// <returns>The exit code.</returns>
    public static async Task<int> StartAsync(
        IAnsiConsole console, TrainingOptions options, int seeds, Func<ImageDataset, RunFolder> makeFolder, MachineSettings machine, string precision,
        CancellationToken cancellation)
    {
        new SeedPlan(options, seeds).CheckSeeds();
        var place = Session.Open(machine.Device, machine.Threads);
        (options, var dataset) = await TrainingRun.PrepareAsync(console, options, place, machine, precision, cancellation);
        using (dataset)
        {
            var folder = makeFolder(dataset);
            using var hold = folder.Hold();
            var plan = new SeedPlan(options with { Dataset = dataset.Name }, seeds);
            plan.Write(folder.FullPath);
            return Train(console, plan, folder, dataset, place, machine, cancellation);
        }
    }

    /// <summary>Goes on with them; with <paramref name="seeds"/>, until there are so many.</summary>
    /// <returns>The exit code.</returns>
    public static async Task<int> ResumeAsync(
        IAnsiConsole console, string path, RunEnd end, MachineSettings machine, CancellationToken cancellation, int? seeds = null)
    {
        var place = Session.Open(machine.Device, machine.Threads);
        machine.Check(place);
        var folder = RunFolder.At(path);
        var plan = SeedPlan.Read(folder.FullPath);
        plan = plan with { Options = end.Of(plan.Options), Seeds = seeds ?? plan.Seeds };
        plan.CheckSeeds();
        using var hold = folder.Hold();      // before the plan is written anew: whoever trains by it keeps it
        var behind = plan.Runs(folder.FullPath).Where(run => Directory.Exists(run.Folder)).Select(run => RunFolder.At(run.Folder)).Where(run => run.IsBegun)
            .Select(run => run.Describe().State.History.Count).DefaultIfEmpty(0).Max();
        if (plan.Options.Epochs < behind)
        {
            throw new UserException($"A run in {path} has {behind} epochs behind it, so none can end after {plan.Options.Epochs}. Give a larger --epochs.");
        }

        using var dataset = await TrainingRun.OpenAsync(
            console, plan.Options.Dataset, machine.Data, plan.Options.DatasetOptions, cancellation);
        plan.Options.Check(dataset);
        plan.Write(folder.FullPath);
        return Train(console, plan, folder, dataset, place, machine, cancellation);
    }

    private static int Train(
        IAnsiConsole console, SeedPlan plan, RunFolder parent, ImageDataset dataset, torch.Device place, MachineSettings machine, CancellationToken cancellation)
    {
        var end = new RunEnd(plan.Options.Epochs, plan.Options.EarlyStop, plan.Options.StopAt);
        foreach (var (seed, path) in plan.Runs(parent.FullPath))
        {
            var folder = RunFolder.At(path);
            // A run that was extended and killed at its new end has the result of the earlier one.
            if (folder.ReadResult() is { } result && folder.Describe().State is var state && state.IsAtEnd(plan.Options) && result.Epochs == state.History.Count)
            {
                continue;
            }

            console.Say($"seed {seed}:");
            var code = TrainingRun.Train(console, dataset, place, folder, machine, display => folder.IsBegun
                ? Trainer.Resume(folder, end, dataset, place, display)
                : Trainer.Start(plan.Options with { Seed = seed }, dataset, place, folder, display), cancellation, resumable: parent.FullPath);
            if (code != 0)
            {
                return code;
            }
        }

        SeedReport.Show(console, parent, plan, dataset, [.. plan.Runs(parent.FullPath).Select(run => RunFolder.At(run.Folder).ReadResult()!)]);
        return 0;
    }
}
