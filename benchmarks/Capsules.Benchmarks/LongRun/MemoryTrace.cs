namespace Capsules.Benchmarks;

/// <summary>A process's resident memory over its time.</summary>
internal sealed class MemoryTrace
{
    public MemoryTrace(IReadOnlyList<(TimeSpan Time, long Bytes)> resident)
    {
        double[] bytes = [.. resident.Select(look => (double)look.Bytes)];
        Tenths = [.. Enumerable.Range(0, 11).Select(tenth => bytes[(bytes.Length - 1) * tenth / 10])];

        // The first tenth loads the program and the images; the quarter after it is the first.
        var (start, quarter) = (bytes.Length / 10, Math.Max(1, bytes.Length / 4));
        Growth = new Samples(bytes[^quarter..]).Median - new Samples(bytes[start..Math.Min(start + quarter, bytes.Length)]).Median;
    }

    /// <summary>Bytes at the start, at every tenth of the time, and at the end.</summary>
    public IReadOnlyList<double> Tenths { get; }

    /// <summary>The median of the last quarter less that of the first, in bytes.</summary>
    public double Growth { get; }
}
