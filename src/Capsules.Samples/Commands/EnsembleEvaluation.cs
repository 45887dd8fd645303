using Spectre.Console;

namespace Capsules.Samples;

/// <summary><c>evaluate --ensemble</c>: the test error of several runs as one classifier.</summary>
internal static class EnsembleEvaluation
{
    /// <summary>Evaluates.</summary>
    /// <param name="console">Where the table goes.</param>
    /// <param name="runs">Run folders, folders of <c>train --seeds</c>, or checkpoint files.</param>
    /// <param name="name">The dataset; null for that of the first run.</param>
    /// <param name="images">How many test images; null for as many as are stored.</param>
    /// <param name="machine">Where it computes.</param>
    /// <param name="cancellation">Stops it.</param>
    public static async Task<int> RunAsync(
        IAnsiConsole console, IReadOnlyList<string> runs, string? name, long? images, MachineSettings machine, CancellationToken cancellation)
    {
        var place = Session.Open(machine.Device, machine.Threads);
        var paths = runs.SelectMany(run => SeedPlan.IsIn(run) ? SeedPlan.Read(run).Runs(run).Select(member => member.Folder) : [run]).Select(RunFolder.BestIn).ToList();
        var members = new List<(Checkpoint Checkpoint, ImageNetwork Network)>();
        try
        {
            foreach (var path in paths)
            {
                var (checkpoint, network) = Checkpoint.Load(path, place);
                members.Add((checkpoint, network));
                if (network.LossName != members[0].Network.LossName)
                {
                    throw new UserException(
                        $"{path} is trained by {network.LossName} and {paths[0]} by {members[0].Network.LossName}: their scores do not add up. Give runs of one kind.");
                }
            }

            var facts = members[0].Checkpoint.Dataset;
            using var dataset = await TrainingRun.OpenAsync(console, name ??= facts.Name, machine.Data, facts.OptionsFor(name), cancellation);
            foreach (var (checkpoint, _) in members)
            {
                checkpoint.Dataset.RequireKind(dataset);
            }

            var indices = EvaluateCommand.Addresses(dataset, images);
            var result = new TrainingDisplay(console).TrackImages("test", indices.Length, report => Ensemble.Run(
                [.. members.Select(member => member.Network)], dataset.Test, indices, place, report, cancellation));
            RunReport.Show(console, _ => { },
            [
                .. paths.Select((path, i) => (path, $"{(double)result.MembersWrong[i] / result.Images:p2} ({result.MembersWrong[i]} of {result.Images} wrong)", "")),
                ($"ensemble of {paths.Count}, scores summed", $"{result.Error:p2} ({result.Wrong} of {result.Images} wrong)", ""),
            ]);
            return 0;
        }
        finally
        {
            members.ForEach(member => member.Network.Dispose());
        }
    }
}
