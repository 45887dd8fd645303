namespace Capsules.Benchmarks;

/// <summary>What a run measures and for how long.</summary>
internal sealed record CompareSettings(IReadOnlyList<RoutingCase> Cases, TimeSpan TimePerPass, int MostRounds, int MemoryCalls, bool TunedAllocator)
{
    /// <summary>The case of the targets, and the smallest, where overheads show.</summary>
    private static readonly string[] QuickCases = ["mnist-1", "mnist-100"];

    /// <param name="names">Cases or shapes; none: all.</param>
    /// <param name="quick">Under a minute.</param>
    /// <param name="tunedAllocator">As in <see cref="Allocator.KeepLargeBlocks"/>.</param>
    /// <exception cref="ArgumentException">A name is neither a case nor a shape.</exception>
    public static CompareSettings Of(IReadOnlyCollection<string> names, bool quick, bool tunedAllocator)
    {
        if (names.Count == 0 && quick)
        {
            names = QuickCases;
        }

        foreach (var name in names)
        {
            if (!RoutingCase.All.Any(c => Matches(c, name)))
            {
                throw new ArgumentException($"There is no case '{name}'. --list shows the cases.");
            }
        }

        return new CompareSettings(
            [.. RoutingCase.All.Where(c => names.Count == 0 || names.Any(name => Matches(c, name)))],
            quick ? TimeSpan.FromSeconds(3) : TimeSpan.FromSeconds(15),
            quick ? 10 : 40,
            quick ? 1 : 3,
            tunedAllocator);
    }

    private static bool Matches(RoutingCase routingCase, string name) => routingCase.Name == name || routingCase.Shape == name;
}
