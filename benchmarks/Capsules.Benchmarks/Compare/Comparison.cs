namespace Capsules.Benchmarks;

/// <summary>All that a run measured.</summary>
internal sealed record Comparison(Machine Machine, bool IsFused, bool TunedAllocator, IReadOnlyList<CaseResult> Cases)
{
    public IReadOnlyList<string> Definition { get; } = Work.Definition;

    public IReadOnlyList<Target> Targets => Machine.Gpu is null ? Target.All(Cases) : Target.OfGpu(Cases, IsFused);
}
