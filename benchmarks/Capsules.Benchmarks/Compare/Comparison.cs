namespace Capsules.Benchmarks;

/// <summary>All that a run measured.</summary>
internal sealed record Comparison(Machine Machine, bool TunedAllocator, IReadOnlyList<CaseResult> Cases)
{
    public IReadOnlyList<string> Definition { get; } = Work.Definition;

    public IReadOnlyList<Target> Targets => Target.All(Cases);
}
