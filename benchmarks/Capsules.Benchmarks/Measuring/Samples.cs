namespace Capsules.Benchmarks;

/// <summary>Numbers in the order in which they were measured.</summary>
internal sealed class Samples(IEnumerable<double> values)
{
    public IReadOnlyList<double> Values { get; } = [.. values];

    public double Median => Quantile(0.5);

    /// <summary>The value below which this share of the samples lies, between neighbours in proportion.</summary>
    public double Quantile(double share)
    {
        var sorted = Values.Order().ToArray();
        var at = share * (sorted.Length - 1);
        var below = (int)at;
        var above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
    }
}
