namespace Capsules;

/// <summary>How the entries of a file met those of a module.</summary>
/// <param name="Loaded">Names that both have with one shape, which were loaded.</param>
/// <param name="Missing">Names of the module that the file lacks; they keep their values.</param>
/// <param name="Unexpected">Names of the file that the module lacks, less a mapping's prefix, and those without the prefix; they are ignored.</param>
/// <param name="Mismatched">
/// Names that both have with different shapes, as "name: (10, 16) in the file, (10, 8) in the module", or whose mapping does not go with the
/// file's shapes; they keep their values.
/// </param>
public sealed record WeightsReport(
    IReadOnlyList<string> Loaded, IReadOnlyList<string> Missing, IReadOnlyList<string> Unexpected, IReadOnlyList<string> Mismatched)
{
    /// <summary>Whether file and module have the same names and shapes.</summary>
    public bool IsExact => Missing.Count + Unexpected.Count + Mismatched.Count == 0;

    /// <summary>The report in words.</summary>
    public override string ToString() => IsExact ? $"{Loaded.Count} loaded" : $"{Loaded.Count} loaded; {Differences}";

    /// <summary>What does not agree, in words.</summary>
    internal string Differences => string.Join("; ", (string[])
    [
        .. Words("missing in the file", Missing),
        .. Words("not in the module", Unexpected),
        .. Words("of another shape", Mismatched),
    ]);

    private static IEnumerable<string> Words(string what, IReadOnlyList<string> names) => names.Count == 0
        ? []
        : [$"{names.Count} {what}: {string.Join(", ", names.Take(10))}{(names.Count > 10 ? ", ..." : "")}"];
}
