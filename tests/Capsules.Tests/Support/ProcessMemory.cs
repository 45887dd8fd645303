using System.Globalization;

namespace Capsules.Tests;

/// <summary>This process's memory, in bytes.</summary>
internal static class ProcessMemory
{
    private const string Status = "/proc/self/status", ClearRefs = "/proc/self/clear_refs";

    /// <summary>Whether the system keeps the most that was ever resident, and forgets it when told to.</summary>
    public static bool HasPeak => File.Exists(ClearRefs);

    public static long Resident => File.Exists(Status) ? Of("VmRSS:") : Environment.WorkingSet;

    /// <summary>The most since <see cref="ResetPeak"/>.</summary>
    public static long Peak => Of("VmHWM:");

    public static void ResetPeak() => File.WriteAllText(ClearRefs, "5");

    /// <summary>Frees the tensors that nothing refers to.</summary>
    public static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }

    private static long Of(string field) => 1024 * long.Parse(
        File.ReadLines(Status).First(line => line.StartsWith(field, StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2],
        CultureInfo.InvariantCulture);
}
