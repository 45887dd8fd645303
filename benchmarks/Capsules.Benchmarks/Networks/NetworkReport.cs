using System.Globalization;
using System.Text;

namespace Capsules.Benchmarks;

/// <summary>A comparison of networks as Markdown.</summary>
internal static class NetworkReport
{
    public static string Of(NetworkComparison run)
    {
        var m = run.Machine;
        var text = new StringBuilder();
        text.AppendLine(Invariant($"{m.Date}, {(m.Gpu is { } gpu ? gpu + "; " : "")}{m.Processor}, {m.Processors} processors, {m.Vectors}-bit vectors, bfloat16 products {(run.HasFastBFloat16 ? "faster" : "no faster")} than float32's, {m.MemoryGiB} GiB; {m.System}; {m.Runtime}; libtorch {m.Libtorch}; {m.Threads} threads; Capsules {m.Version}; batch {run.Batch}, {run.Rounds} rounds."));
        text.AppendLine().AppendLine(Invariant($"Checked before timing: the losses before the first and the fourth step agree ({string.Join(", ", run.Networks.Select(n => Invariant($"{n.Name} {n.FirstLoss:f6} and {n.FourthLoss:f6}")))})."));
        var (plain, tuned) = (run[TrainedNetwork.Plain], run[TrainedNetwork.PlainTuned]);
        text.AppendLine().AppendLine("Times as fast as op by op with the default allocator / with the tuned one, which the targets take.");
        var table = new MarkdownTable("network", "step ms", "middle half", "times as fast", "inference ms", "middle half", "times as fast", "images/s", "60,000 images s", "own convolutions ms", "peak MB");
        foreach (var n in run.Networks)
        {
            table.Add(n.Name, Number(n.Training.Median), Middle(n.Training), TimesAsFast(n, which => which.Training),
                Number(n.Inference.Median), Middle(n.Inference), TimesAsFast(n, which => which.Inference),
                Invariant($"{1e3 * run.Batch / n.Inference.Median:f0}"), Invariant($"{60 * n.Training.Median / run.Batch:f1}"), n.Convolutions is { } c ? Number(c.Median) : "-", n.Peak is { } peak ? Number(peak) : "-");
        }

        text.AppendLine().Append(table);
        if (run.Targets.Count == 0)
        {
            return text.ToString();
        }

        text.AppendLine();
        var targets = new MarkdownTable("target", "measured", "met");
        foreach (var target in run.Targets)
        {
            targets.Add(target.Statement, target.Measured, target.IsMet switch { true => "yes", false => "NO", null => "-" });
        }

        return text.Append(targets).ToString();

        string TimesAsFast(NetworkResult n, Func<NetworkResult, Spread> of) =>
            Invariant($"{of(plain).Median / of(n).Median:f2} / {of(tuned).Median / of(n).Median:f2}");
    }

    private static string Middle(Spread spread) => $"{Number(spread.Lower)} to {Number(spread.Upper)}";

    private static string Number(double value) => value >= 100 ? Invariant($"{value:f0}") : Invariant($"{value:f1}");

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
