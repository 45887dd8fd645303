using System.Globalization;
using System.Text;
using System.Text.Json;
using Spectre.Console;

namespace Capsules.Samples;

/// <summary>What the runs of several seeds reached, with mean and standard deviation, beside what others report.</summary>
internal static class SeedReport
{
    /// <summary>Shows the table, logs it, and writes summary.md and summary.json.</summary>
    /// <exception cref="UserException">A file cannot be written.</exception>
    public static void Show(IAnsiConsole console, RunFolder folder, SeedPlan plan, ImageDataset dataset, IReadOnlyList<RunResult> results)
    {
        var (last, best) = (MeanAndDeviation([.. results.Select(run => run.LastError)]), MeanAndDeviation([.. results.Select(run => run.BestError)]));
        List<string[]> rows = [.. results.Select(run => (string[])
            [$"seed {run.Seed}", Percent(run.LastError), Percent(run.BestError), $"{run.Epochs} epochs, best {run.BestEpoch}"])];
        rows.Add([$"mean (deviation) of {results.Count}", Both(last), Both(best), plan.Options.Select.Warning() ?? ""]);
        foreach (var other in PublishedResults.For(plan.Options, dataset))
        {
            var deviation = other.Deviation is { } d ? $" ({d.ToString("0.000", CultureInfo.InvariantCulture)})" : "";
            var figure = other.Error.ToString("0.00#", CultureInfo.InvariantCulture) + deviation;
            var remark = other.Remark + (other.Remark.Length > 0 ? "; " : "") + other.Source;
            rows.Add([other.Who, other.IsBest ? "" : figure, other.IsBest ? figure : "", remark]);
        }

        string[] titles = ["", "test error %, last epoch", "test error %, best epoch", ""];
        var table = new Table().Border(TableBorder.Rounded).Title(Markup.Escape($"{NetworkCatalog.Get(plan.Options.Model).Title} on {dataset.Name}"));
        var markdown = new StringBuilder($"| {string.Join(" | ", titles)} |\n|{string.Concat(titles.Select(_ => "---|"))}\n");
        table.AddColumns([.. titles.Select(Markup.Escape)]);
        foreach (var row in rows)
        {
            table.AddRow([.. row.Select(Markup.Escape)]);
            markdown.Append(CultureInfo.InvariantCulture, $"| {string.Join(" | ", row)} |\n");
            folder.Log(string.Join("  ", row.Where(cell => cell.Length > 0)));
        }

        console.Write(table);
        AtomicFile.WriteText(Path.Combine(folder.FullPath, "summary.md"), markdown.ToString());
        AtomicFile.WriteText(Path.Combine(folder.FullPath, "summary.json"), JsonSerializer.Serialize(
            new SeedSummary(results, last.Mean, last.Deviation, best.Mean, best.Deviation), RunJson.Options) + "\n");
        console.Say($"summary: {Path.Combine(folder.FullPath, "summary.md")}; as one classifier: evaluate --ensemble \"{folder.FullPath}\"");
    }

    /// <summary>The mean, and the standard deviation of a sample (with n - 1); no deviation for one value.</summary>
    public static (double Mean, double? Deviation) MeanAndDeviation(IReadOnlyList<double> values)
    {
        var mean = values.Average();
        return (mean, values.Count > 1 ? Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Count - 1)) : null);
    }

    private static string Both((double Mean, double? Deviation) figures) =>
        Percent(figures.Mean, "0.000") + (figures.Deviation is { } deviation ? $" ({Percent(deviation, "0.000")})" : "");

    private static string Percent(double share, string format = "0.00") => (100 * share).ToString(format, CultureInfo.InvariantCulture);
}

/// <summary>summary.json of several seeds; errors are shares, not percent.</summary>
/// <param name="Runs">Each seed's result.</param>
/// <param name="LastMean">The mean test error of the last epochs.</param>
/// <param name="LastDeviation">Its standard deviation over seeds; null for one seed.</param>
/// <param name="BestMean">The mean test error of the best epochs.</param>
/// <param name="BestDeviation">Its standard deviation over seeds; null for one seed.</param>
internal sealed record SeedSummary(IReadOnlyList<RunResult> Runs, double LastMean, double? LastDeviation, double BestMean, double? BestDeviation);
