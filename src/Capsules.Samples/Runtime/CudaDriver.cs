using System.Runtime.InteropServices;

namespace Capsules.Samples;

/// <summary>What NVIDIA's driver tells of its GPUs, asked without torch: torch binds none of it.</summary>
internal static unsafe class CudaDriver
{
    private static readonly CudaDriverLibrary? Library = Load();

    /// <summary>The newest CUDA version that the driver serves; null where there is no driver, or no GPU that it can use.</summary>
    public static Version? Version { get; } = ReadVersion();

    /// <summary>The GPUs, in the order in which CUDA numbers them.</summary>
    public static IReadOnlyList<Gpu> Devices { get; } = ReadDevices();

    /// <summary>Bytes that are free on the calling thread's GPU, and all that it has.</summary>
    /// <exception cref="InvalidOperationException">CUDA is not in use on this thread.</exception>
    public static (long Free, long Total) Memory()
    {
        var ask = (delegate* unmanaged[Cdecl]<nuint*, nuint*, int>)Find("cuMemGetInfo_v2");
        nuint free, total;
        return ask != null && ask(&free, &total) == 0
            ? ((long)free, (long)total)
            : throw new InvalidOperationException("The CUDA driver does not tell how much memory is free: CUDA is not in use on this thread.");
    }

    private static CudaDriverLibrary? Load()
    {
        try
        {
            return CudaDriverLibrary.Load();
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)
        {
            return null;
        }
    }

    private static void* Find(string name) => Library is null ? null : (void*)Library.Find(name);

    private static Version? ReadVersion()
    {
        var start = (delegate* unmanaged[Cdecl]<uint, int>)Find("cuInit");
        var ask = (delegate* unmanaged[Cdecl]<int*, int>)Find("cuDriverGetVersion");
        int version;      // 1000 major + 10 minor
        return start != null && ask != null && start(0) == 0 && ask(&version) == 0 ? new Version(version / 1000, version % 1000 / 10) : null;
    }

    private static List<Gpu> ReadDevices()
    {
        var count = (delegate* unmanaged[Cdecl]<int*, int>)Find("cuDeviceGetCount");
        var name = (delegate* unmanaged[Cdecl]<byte*, int, int, int>)Find("cuDeviceGetName");
        var memory = (delegate* unmanaged[Cdecl]<nuint*, int, int>)Find("cuDeviceTotalMem_v2");
        int found;
        List<Gpu> devices = [];
        if (Version is null || count == null || name == null || memory == null || count(&found) != 0)
        {
            return devices;
        }

        var text = stackalloc byte[256];
        for (var device = 0; device < found; device++)      // a device's handle is its number
        {
            nuint bytes = 0;
            text[0] = 0;
            _ = name(text, 256, device) | memory(&bytes, device);
            var (capability, processors) = (Library!.Capability(device), Library.Multiprocessors(device));
            devices.Add(new Gpu(Marshal.PtrToStringUTF8((nint)text) ?? "", (long)bytes, capability, processors));
        }

        return devices;
    }
}

/// <summary>A GPU.</summary>
/// <param name="Name">As its maker names it.</param>
/// <param name="Bytes">Its memory.</param>
/// <param name="Capability">What NVIDIA calls its compute capability.</param>
/// <param name="Processors">How many multiprocessors it has.</param>
internal sealed record Gpu(string Name, long Bytes, Version Capability, int Processors)
{
    public override string ToString() =>
        FormattableString.Invariant($"{Name}, {Bytes / (double)(1 << 30):f1} GiB, {Processors} multiprocessors, compute capability {Capability}");
}
