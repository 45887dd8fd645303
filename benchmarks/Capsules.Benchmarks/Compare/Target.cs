namespace Capsules.Benchmarks;

/// <summary>What this library promises of its routing, and whether this run shows it.</summary>
/// <param name="Statement">The promise.</param>
/// <param name="Measured">What was measured.</param>
/// <param name="IsMet">Null where the run did not measure it.</param>
internal sealed record Target(string Statement, string Measured, bool? IsMet)
{
    private const string Case = "mnist-100", GpuCase = "mnist-128";

    public static IReadOnlyList<Target> All(IReadOnlyList<CaseResult> results)
    {
        var result = results.FirstOrDefault(r => r.Case.Name == Case);
        return
        [
            Faster(Case, result?.Forward, PassResult.ForwardPass, Implementation.Einsum, 10),
            Faster(Case, result?.Training, PassResult.TrainingPass, Implementation.Einsum, 12),
            Faster(Case, result?.Forward, PassResult.ForwardPass, Implementation.Tiled, 20),
            Faster(Case, result?.Training, PassResult.TrainingPass, Implementation.Tiled, 20),
            NeverSlower(results),
            Half(result?.Forward, PassResult.ForwardPass),
            Half(result?.Training, PassResult.TrainingPass),
            Memory(Case, result?.Memory),
        ];
    }

    /// <summary>The promises for a GPU.</summary>
    public static IReadOnlyList<Target> OfGpu(IReadOnlyList<CaseResult> results, bool isFused)
    {
        var result = results.FirstOrDefault(r => r.Case.Name == GpuCase);
        var largest = results.Where(r => r.Memory is not null).MaxBy(r => r.Case.VoteBytes);
        return
        [
            new("the fused kernel serves", isFused ? "yes" : "no", isFused),
            Faster(GpuCase, result?.Forward, PassResult.ForwardPass, Implementation.Einsum, 10),
            Faster(GpuCase, result?.Training, PassResult.TrainingPass, Implementation.Einsum, 8),
            NeverSlower(results),
            Memory(largest?.Case.Name ?? "any case", largest?.Memory),
            Ran(results, "mnist-4096"),
            Ran(results, "cifar-512"),
        ];
    }

    /// <summary>Which promises a run keeps.</summary>
    public static MarkdownTable Table(IReadOnlyList<Target> targets)
    {
        var table = new MarkdownTable("target", "measured", "met");
        foreach (var target in targets)
        {
            table.Add(target.Statement, target.Measured, target.IsMet switch { true => "yes", false => "NO", null => "-" });
        }

        return table;
    }

    private static Target Ran(IReadOnlyList<CaseResult> results, string name)
    {
        var ran = results.Any(r => r.Case.Name == name);
        return new($"{name} runs on one card", ran ? "yes" : "not measured", ran ? true : null);
    }

    private static Target Faster(string routingCase, PassResult? pass, string name, Implementation baseline, double times)
    {
        var ratio = pass?.Baseline(baseline.Name)?.PairedRatio;
        return new($"{routingCase}, {name}: at least {times} times as fast as {baseline.Name}", Text($"{ratio:f1} times", ratio), ratio >= times ? true : ratio is null ? null : false);
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

    private static Target Memory(string routingCase, MemoryResult? memory)
    {
        var share = memory?.ExtraShareOfVotes;
        return new($"{routingCase}, {PassResult.TrainingPass}: peak memory beyond v, du and dW at most 10 % of the votes", Text($"{100 * share:f1} %", share), share is null ? null : share <= 0.1);
    }

    private static string Text(string text, double? value) => value is null ? "not measured" : text;
}
