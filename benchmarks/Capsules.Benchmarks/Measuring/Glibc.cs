using System.Runtime.InteropServices;

namespace Capsules.Benchmarks;

/// <summary>The two functions of glibc's malloc that a benchmark of large tensors needs.</summary>
internal static partial class Glibc
{
    private const int TrimThreshold = -1, MmapThreshold = -3;      // M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h

    public static bool IsPresent { get; } = OperatingSystem.IsLinux()
        && NativeLibrary.TryLoad("libc.so.6", out var libc) && NativeLibrary.TryGetExport(libc, "malloc_trim", out _);

    /// <summary>Lets malloc keep freed blocks up to 1 GiB, so that a call does not fault its memory in anew. For the rest of the process.</summary>
    /// <returns>False where there is no glibc.</returns>
    public static bool KeepLargeBlocks()
    {
        if (!IsPresent)
        {
            return false;
        }

        // Setting either turns glibc's own adjusting off, so both are set; glibc caps the mmap threshold at 32 MiB on some versions.
        if (Mallopt(MmapThreshold, 1 << 30) == 0)
        {
            _ = Mallopt(MmapThreshold, 32 << 20);
        }

        return Mallopt(TrimThreshold, int.MaxValue) != 0;
    }

    /// <summary>Gives back to the system all that malloc keeps free.</summary>
    public static void GiveBack() => _ = MallocTrim(0);

    [LibraryImport("libc.so.6", EntryPoint = "mallopt")]
    private static partial int Mallopt(int parameter, int value);

    [LibraryImport("libc.so.6", EntryPoint = "malloc_trim")]
    private static partial int MallocTrim(nuint padding);
}
