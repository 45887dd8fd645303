using System.Globalization;

namespace Capsules.Benchmarks;

/// <summary>What this library promises of its routing, and whether this run shows it.</summary>
/// <param name="Statement">The promise.</param>
/// <param name="Measured">What was measured.</param>
/// <param name="IsMet">Null where the run did not measure it.</param>
internal sealed record Target(string Statement, string Measured, bool? IsMet)
{
    private const string Case = "mnist-100";

    public static IReadOnlyList<Target> All(IReadOnlyList<CaseResult> results)
    {
        var result = results.FirstOrDefault(r => r.Case.Name == Case);
        return
        [
            Faster(result?.Forward, PassResult.ForwardPass, Implementation.Einsum, 10),
            Faster(result?.Training, PassResult.TrainingPass, Implementation.Einsum, 12),
            Faster(result?.Forward, PassResult.ForwardPass, Implementation.Tiled, 20),
            Faster(result?.Training, PassResult.TrainingPass, Implementation.Tiled, 20),
            NeverSlower(results),
            Half(result?.Forward, PassResult.ForwardPass),
            Half(result?.Training, PassResult.TrainingPass),
            Memory(result?.Memory),
        ];
    }

    private static Target Faster(PassResult? pass, string name, Implementation baseline, double times)
    {
        var ratio = pass?.Baseline(baseline.Name)?.PairedRatio;
        return new($"{Case}, {name}: at least {times} times as fast as {baseline.Name}", Text($"{ratio:f1} times", ratio), ratio >= times ? true : ratio is null ? null : false);
    }

    private static Target NeverSlower(IReadOnlyList<CaseResult> results)
    {
        var closest = results.SelectMany(r => r.Passes).SelectMany(p => p.Baselines.Select(b => (Pass: p, Baseline: b))).MinBy(x => x.Baseline.PairedRatio);
        return closest.Baseline is null
            ? new("no slower than any baseline at any case", "not measured", null)
            : new(
                $"no slower than any baseline at any of the {results.Count} cases here",
                Text($"closest: {closest.Baseline.PairedRatio:f2} times, {closest.Baseline.Name}, {closest.Pass.Case}, {closest.Pass.Pass}", 0),
                closest.Baseline.PairedRatio >= 1);
    }

    private static Target Half(PassResult? pass, string name)
    {
        var share = pass?.Roofline.ShareOfProduct;
        return new($"{Case}, {name}: half or more of the matrix product's GFLOP/s", Text($"{100 * share:f0} %", share), share is null ? null : share >= 0.5);
    }

    private static Target Memory(MemoryResult? memory)
    {
        var share = memory?.ExtraShareOfVotes;
        return new($"{Case}, {PassResult.TrainingPass}: peak memory beyond v, du and dW at most 10 % of the votes", Text($"{100 * share:f1} %", share), share is null ? null : share <= 0.1);
    }

    private static string Text(FormattableString text, double? value) => value is null ? "not measured" : text.ToString(CultureInfo.InvariantCulture);
}
