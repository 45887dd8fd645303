using System.IO.Compression;
using System.Security.Cryptography;
using Capsules.Samples;

namespace Capsules.Benchmarks;

/// <summary>What two runs of the same options must have in common to the bit, however often they were stopped: all but times.</summary>
internal static class RunFigures
{
    /// <summary>A run's figures, each with its name.</summary>
    /// <param name="run">A run folder.</param>
    public static List<(string Name, string Value)> Of(string run)
    {
        var last = Path.Combine(run, "last.ckpt");
        var state = Checkpoint.Describe(last).State;
        return
        [
            .. state.History.Select(row => ($"epoch {row.Epoch} in last.ckpt", $"{row with { Seconds = 0, ImagesPerSecond = 0 }}")),
            ("best epoch", $"{state.BestEpoch}"),
            .. File.ReadAllLines(Path.Combine(run, "metrics.csv")).Select((line, row) => ($"row {row} of metrics.csv", string.Join(',', line.Split(',')[..^2]))),
            .. Parts(last), .. Parts(Path.Combine(run, "best.ckpt")),
            ("result.json", File.ReadAllText(Path.Combine(run, "result.json"))),
            ("losses of steps", string.Join(' ', Losses(run).Select(loss => $"{loss.Step}:{BitConverter.SingleToInt32Bits(loss.Loss):x}"))),
        ];
    }

    /// <summary>The loss of every step that its events tell of, in order.</summary>
    public static List<(long Step, float Loss)> Losses(string run) =>
    [
        .. EventFile.Read(EventFile.Find(run)!).Where(happening => happening.Summary?.Value[0].Tag == "step/loss")
            .Select(happening => (happening.Step, happening.Summary.Value[0].SimpleValue)),
    ];

    private static IEnumerable<(string Name, string Value)> Parts(string checkpoint)
    {
        using var zip = ZipFile.OpenRead(checkpoint);
        return [.. ((string[])["model.dat", "optimizer.dat"]).Select(name =>
        {
            using var entry = zip.GetEntry(name)!.Open();
            return ($"{name} of {Path.GetFileName(checkpoint)}", Convert.ToHexString(SHA256.HashData(entry)));
        })];
    }
}
