using System.Text;

namespace Capsules.Benchmarks;

/// <summary>A comparison as Markdown: printed as it is, and pasted into docs/benchmarks.md.</summary>
internal static class MarkdownReport
{
    private const string Nothing = "-";

    public static string Of(Comparison comparison)
    {
        var text = new StringBuilder();
        var machine = comparison.Machine;
        text.AppendLine($"{machine}; allocator: {(comparison.TunedAllocator ? "tuned" : "default")}.");
        text.AppendLine();
        text.AppendLine($"Checked before timing: v, du and dW of all implementations agree; the largest relative difference was {comparison.Cases.Max(c => c.Largest):0.0e-0}, {Agreement.Tolerance(machine.Gpu is null ? torch.CPU : torch.CUDA):0e-0} is allowed.");
        if (!comparison.IsFused)
        {
            text.AppendLine().AppendLine("WITHOUT the fused kernel, which does not serve this device: \"capsules\" are this library's torch operations.");
        }

        Section(text, "Times: median milliseconds, and how many times as fast ours is (ratio of medians / median of paired ratios)", Times(comparison));
        Section(text, "Ours against the machine's limits in the same rounds", Rooflines(comparison));
        if (comparison.Cases.Any(c => c.Memory is not null))
        {
            Section(text, machine.Gpu is null
                ? "Memory of forward + backward: peak resident megabytes above those before"
                : "Memory of forward + backward: megabytes that libtorch takes from the driver, an upper bound of the peak, in steps of up to 20 MB", Memory(comparison));
        }
        else
        {
            text.AppendLine().AppendLine(machine.Gpu is null
                ? "Memory was not measured: that needs Linux with glibc."
                : "Memory was not measured: no case has 500 MB of votes, beside which the steps of the measure do not matter.");
        }

        Section(text, "Targets", Target.Table(comparison.Targets));
        text.AppendLine();
        foreach (var line in comparison.Definition)
        {
            text.Append("* ").AppendLine(line);
        }

        return text.ToString();
    }

    private static MarkdownTable Times(Comparison comparison)
    {
        var table = new MarkdownTable(["case", "pass", "rounds", "capsules", .. Implementation.Baselines.Select(b => b.Name)]);
        foreach (var pass in comparison.Cases.SelectMany(c => c.Passes))
        {
            table.Add([
                pass.Case,
                pass.Pass,
                $"{pass.Rounds}",
                Number(pass.Milliseconds),
                .. Implementation.Baselines.Select(b => pass.Baseline(b.Name) is { } r ? $"{Number(r.Milliseconds)} ({r.Ratio:f1} / {r.PairedRatio:f1})" : Nothing)]);
        }

        return table;
    }

    private static MarkdownTable Rooflines(Comparison comparison)
    {
        var table = new MarkdownTable("case", "pass", "ms", "middle half", "GFLOP", "GFLOP/s", "product GFLOP/s", "share", "MB", "GB/s", "copy GB/s", "share");
        foreach (var pass in comparison.Cases.SelectMany(c => c.Passes))
        {
            var r = pass.Roofline;
            table.Add(
                pass.Case, pass.Pass, Number(pass.Milliseconds), $"{Number(pass.LowerQuartile)} to {Number(pass.UpperQuartile)}",
                $"{r.Gigaflop:f3}", $"{r.GigaflopPerSecond:f0}", $"{r.ProductGigaflopPerSecond:f0}", $"{100 * r.ShareOfProduct:f0} %",
                $"{r.Megabytes:f1}", $"{r.GigabytesPerSecond:f1}", $"{r.CopyGigabytesPerSecond:f1}", $"{100 * r.ShareOfCopy:f0} %");
        }

        return table;
    }

    private static MarkdownTable Memory(Comparison comparison)
    {
        var table = new MarkdownTable(["case", "votes", "v, du, dW", "capsules", "beyond v, du, dW", "share of votes", .. Implementation.Baselines.Select(b => b.Name)]);
        foreach (var result in comparison.Cases)
        {
            if (result.Memory is { } m)
            {
                table.Add([
                    result.Case.Name, Number(m.Votes), Number(m.Results), Number(m.Capsules),
                    m.Extra is { } extra ? Number(extra) : Nothing, m.ExtraShareOfVotes is { } share ? $"{100 * share:f1} %" : Nothing,
                    .. Implementation.Baselines.Select(b => m.Baselines.TryGetValue(b.Name, out var peak) ? Number(peak) : Nothing)]);
            }
        }

        return table;
    }

    private static void Section(StringBuilder text, string title, MarkdownTable table) =>
        text.AppendLine().Append("**").Append(title).AppendLine("**").AppendLine().Append(table);

    // Three digits, whatever the size.
    private static string Number(double value) => value switch
    {
        >= 100 => $"{value:f0}",
        >= 10 => $"{value:f1}",
        _ => $"{value:f2}",
    };
}
