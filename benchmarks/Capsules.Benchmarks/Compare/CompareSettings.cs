using Capsules.Samples;

namespace Capsules.Benchmarks;

/// <summary>What a run measures and for how long.</summary>
internal sealed record CompareSettings(IReadOnlyList<RoutingCase> Cases, TimeSpan TimePerPass, int MostRounds, int MemoryCalls, bool TunedAllocator)
{
    /// <summary>From so many bytes of votes on the steps in which a GPU's memory is measured do not matter.</summary>
    private const double LeastVoteBytes = 500e6;

    /// <summary>Where it is measured. Default: the CPU.</summary>
    public torch.Device Device { get; init; } = torch.CPU;

    /// <summary>Whether a case is large enough to measure a GPU's memory by.</summary>
    public static bool MeasuresGpuMemory(RoutingCase routingCase) => routingCase.VoteBytes >= LeastVoteBytes;

    /// <summary>
    /// What a baseline may take at most. A GPU holds twice as much: its memory is measured in another process, and this one keeps its own.
    /// </summary>
    public double MostBytes { get; init; } = Implementation.MostBytes;


    /// <summary>The case of the targets, and the smallest, where overheads show.</summary>
    private static readonly string[] QuickCases = ["mnist-1", "mnist-100"], QuickGpuCases = ["mnist-128", "mnist-1024"];

    /// <param name="names">Cases or shapes; none: all.</param>
    /// <param name="quick">Under a minute.</param>
    /// <param name="tunedAllocator">As in <see cref="Allocator.KeepLargeBlocks"/>.</param>
    /// <param name="device">Where it is measured.</param>
    /// <exception cref="ArgumentException">A name is neither a case nor a shape.</exception>
    public static CompareSettings Of(IReadOnlyCollection<string> names, bool quick, bool tunedAllocator, torch.Device device)
    {
        var (all, few) = device.type == DeviceType.CUDA ? (RoutingCase.OfGpu, QuickGpuCases) : (RoutingCase.All, QuickCases);
        if (names.Count == 0 && quick)
        {
            names = few;
        }

        foreach (var name in names)
        {
            if (!all.Any(c => Matches(c, name)))
            {
                throw new ArgumentException($"There is no case '{name}'. --list shows the cases.");
            }
        }

        return new CompareSettings(
            [.. all.Where(c => names.Count == 0 || names.Any(name => Matches(c, name)))],
            quick ? TimeSpan.FromSeconds(3) : TimeSpan.FromSeconds(15),
            quick ? 10 : 40,
            quick ? 1 : 3,
            tunedAllocator)
        {
            Device = device,
            MostBytes = device.type == DeviceType.CUDA ? 0.35 * CudaDriver.Memory().Free : Implementation.MostBytes,
        };
    }

    private static bool Matches(RoutingCase routingCase, string name) => routingCase.Name == name || routingCase.Shape == name;
}
