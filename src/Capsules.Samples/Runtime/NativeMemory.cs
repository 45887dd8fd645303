using System.Runtime.InteropServices;

namespace Capsules.Samples;

/// <summary>Keeps glibc from giving every large tensor's memory back to the system and faulting it in anew.</summary>
internal static partial class NativeMemory
{
    private const int TrimThreshold = -1, MmapThreshold = -3;      // M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h

    /// <summary>
    /// Raises malloc's thresholds, so that blocks up to 1 GiB stay in the process. A training step frees and takes hundreds of
    /// megabytes; page faults are up to half of it. Linux with glibc only; elsewhere it does nothing.
    /// </summary>
    public static void KeepLargeBlocks()
    {
        if (!OperatingSystem.IsLinux() || !NativeLibrary.TryLoad("libc.so.6", out var libc) || !NativeLibrary.TryGetExport(libc, "mallopt", out _))
        {
            return;      // musl has neither the file name nor the function
        }

        // Setting either turns glibc's own adjusting off, so both are set; glibc caps the mmap threshold at 32 MiB on some versions.
        if (Mallopt(MmapThreshold, 1 << 30) == 0)
        {
            _ = Mallopt(MmapThreshold, 32 << 20);
        }

        _ = Mallopt(TrimThreshold, int.MaxValue);
    }

    [LibraryImport("libc.so.6", EntryPoint = "mallopt")]
    private static partial int Mallopt(int parameter, int value);
}
