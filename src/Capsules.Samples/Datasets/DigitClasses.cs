namespace Capsules.Samples;

/// <summary>The classes of the datasets of digits.</summary>
internal static class DigitClasses
{
    /// <summary>"0" to "9".</summary>
    public static IReadOnlyList<string> Names { get; } = [.. "0123456789".Select(digit => $"{digit}")];
}
