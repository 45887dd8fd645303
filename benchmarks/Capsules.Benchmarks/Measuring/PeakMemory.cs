namespace Capsules.Benchmarks;

/// <summary>How far the process's resident memory rises during a call, which the kernel of Linux records.</summary>
/// <remarks>
/// Writing 5 to clear_refs sets the recorded peak (VmHWM) back to what is resident now. Before that, malloc gives back what
/// earlier calls left in it, or the call would reuse it unseen. Only Linux with glibc; elsewhere nothing is measured.
/// </remarks>
internal static class PeakMemory
{
    private const string ClearRefs = "/proc/self/clear_refs";

    private static readonly RoutingCase Tiny = new("tiny", 1, 1, 1, 1, 1);

    public static bool IsAvailable => OperatingSystem.IsLinux() && Allocator.IsSupported && File.Exists(ClearRefs);

    /// <summary>Bytes above those resident before, the median of several calls.</summary>
    public static double Of(Action action, int calls) =>
        new Samples(Enumerable.Range(0, calls).Select(_ => (double)Once(action))).Median;

    private static long Once(Action action)
    {
        // The gradients of this library's last backward are held until its next on this thread: a tiny one, or they would be resident before the
        // call and freed in it.
        using (var tensors = new CaseTensors(Tiny, [Implementation.Capsules]))
        {
            Implementation.Capsules.Train(tensors);
        }

        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        _ = Allocator.Trim();
        File.WriteAllText(ClearRefs, "5");
        var before = Status("VmRSS:");
        action();
        return Status("VmHWM:") - before;
    }

    private static long Status(string field)
    {
        var line = File.ReadLines("/proc/self/status").First(text => text.StartsWith(field, StringComparison.Ordinal));
        return 1024 * long.Parse(line.AsSpan(field.Length, line.Length - field.Length - " kB".Length).Trim());
    }
}
