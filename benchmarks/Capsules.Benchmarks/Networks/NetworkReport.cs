using System.Text;

namespace Capsules.Benchmarks;

/// <summary>A comparison of networks as Markdown.</summary>
internal static class NetworkReport
{
    public static string Of(NetworkComparison run)
    {
        var text = new StringBuilder();
        text.AppendLine($"{run.Machine}; bfloat16 products {(run.HasFastBFloat16 ? "faster" : "no faster")} than float32's; batch {run.Batch}, {run.Rounds} rounds.");
        text.AppendLine().AppendLine($"Checked before timing: the losses before the first and the fourth step agree ({string.Join(", ", run.Networks.Select(n => $"{n.Name} {n.FirstLoss:f6} and {n.FourthLoss:f6}"))}).");
        var (plain, tuned) = (run[TrainedNetwork.Plain], run[TrainedNetwork.PlainTuned]);
        text.AppendLine().AppendLine("Times as fast as op by op with the default allocator / with the tuned one, which the targets take.");
        var table = new MarkdownTable("network", "step ms", "middle half", "times as fast", "inference ms", "middle half", "times as fast", "images/s", "60,000 images s", "own convolutions ms", "peak MB");
        foreach (var n in run.Networks)
        {
            table.Add(n.Name, Number(n.Training.Median), Middle(n.Training), TimesAsFast(n, which => which.Training),
                Number(n.Inference.Median), Middle(n.Inference), TimesAsFast(n, which => which.Inference),
                $"{1e3 * run.Batch / n.Inference.Median:f0}", $"{60 * n.Training.Median / run.Batch:f1}", n.Convolutions is { } c ? Number(c.Median) : "-", n.Peak is { } peak ? Number(peak) : "-");
        }

        text.AppendLine().Append(table);
        if (run.Targets.Count > 0)
        {
            text.AppendLine().Append(Target.Table(run.Targets));
        }

        return text.ToString();

        string TimesAsFast(NetworkResult n, Func<NetworkResult, Spread> of) =>
            $"{of(plain).Median / of(n).Median:f2} / {of(tuned).Median / of(n).Median:f2}";
    }

    private static string Middle(Spread spread) => $"{Number(spread.Lower)} to {Number(spread.Upper)}";

    private static string Number(double value) => value >= 100 ? $"{value:f0}" : $"{value:f1}";
}
