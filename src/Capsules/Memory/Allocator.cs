using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>How the C library's allocator, from which torch takes tensors on the CPU, treats large blocks.</summary>
/// <remarks>
/// A training step of the 2017 network frees and takes hundreds of megabytes. glibc returns large freed blocks to the system
/// and faults them in anew, page by page, which can be half of a step. Linux with glibc alone; elsewhere nothing here has an effect.
/// It is the process's; any thread may call.
/// </remarks>
public static partial class Allocator
{
    // Parameters of mallopt in malloc.h.
    private const int TrimThreshold = -1, MmapThreshold = -3, MmapMax = -4;

    /// <summary>Whether this process runs on glibc, so that the calls here have an effect.</summary>
    public static bool IsSupported { get; } = OperatingSystem.IsLinux()
        && NativeLibrary.TryLoad("libc.so.6", out var libc)
        && NativeLibrary.TryGetExport(libc, "mallopt", out _) && NativeLibrary.TryGetExport(libc, "malloc_trim", out _);      // musl has neither

    /// <summary>
    /// Lets the process keep the memory of freed tensors for the next ones, for the rest of its life. Call it once, first thing in the
    /// program. The process then stays at its peak of memory until it ends or calls <see cref="Trim"/>.
    /// </summary>
    /// <remarks>
    /// <para>Blocks up to 1 GiB on the program's main thread. On other threads up to 64 MiB, which is the size of glibc's own heaps there:
    /// the batch of 100 of the 2017 network stays below.</para>
    /// <para>What this library's convolutions compute, from 1 MiB on, then has blocks of its own, which pass whole from one step to the next:
    /// in glibc's heap a small block in the place of a large one can make the process longer by the large one at any time of a run.</para>
    /// </remarks>
    /// <returns>Whether it took effect: false on Windows, macOS and Linux without glibc.</returns>
    public static bool KeepLargeBlocks()
    {
        if (!IsSupported)
        {
            return false;
        }

        LargeBlocks.IsOn = true;

        // Setting a threshold turns glibc's own adjusting off. Some versions refuse one above 32 MiB, below the largest tensors:
        // there, no block at all is mapped by itself.
        var mapped = Mallopt(MmapThreshold, 1 << 30) != 0 || Mallopt(MmapMax, 0) != 0;
        return mapped & Mallopt(TrimThreshold, int.MaxValue) != 0;
    }

    /// <summary>Gives the memory that the allocator keeps free back to the system, now.</summary>
    /// <returns>Whether there was any; false where glibc is not the C library.</returns>
    public static bool Trim() => IsSupported && (LargeBlocks.Trim() | MallocTrim(0) != 0);

    [LibraryImport("libc.so.6", EntryPoint = "mallopt")]
    private static partial int Mallopt(int parameter, int value);

    [LibraryImport("libc.so.6", EntryPoint = "malloc_trim")]
    private static partial int MallocTrim(nuint padding);
}
