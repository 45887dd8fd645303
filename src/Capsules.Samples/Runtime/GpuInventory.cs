using System.Runtime.InteropServices;

namespace Capsules.Samples;

/// <summary>What NVIDIA's driver tells of itself and of its GPUs. What it does not answer is left out and named, and is no error.</summary>
/// <param name="HasDriver">Whether there is a driver that serves a GPU.</param>
/// <param name="Version">The newest CUDA version that the driver serves; null where it does not tell.</param>
/// <param name="Gpus">The GPUs, in the order in which CUDA numbers them.</param>
/// <param name="Failure">Why there is no list of GPUs though there is a driver; null where there is a list, or no driver.</param>
internal sealed unsafe record GpuInventory(bool HasDriver, Version? Version, IReadOnlyList<Gpu> Gpus, string? Failure)
{
    private const int NoDevice = 100;       // CUDA_ERROR_NO_DEVICE in cuda.h

    /// <summary>Asks the driver.</summary>
    /// <param name="load">Loads it, or throws what <see cref="CudaDriverLibrary.Load"/> throws.</param>
    public static GpuInventory Read(Func<CudaDriverLibrary> load)
    {
        Version? version = null;
        try
        {
            var driver = load();
            var start = (delegate* unmanaged<uint, int>)driver.Export("cuInit");
            driver.Check(start(0), "cuInit");
            _ = Answer(() => version = ReadVersion(driver));
            return new(HasDriver: true, version, ReadGpus(driver), Failure: null);
        }
        catch (DllNotFoundException)
        {
            return new(HasDriver: false, null, [], Failure: null);
        }
        catch (CudaDriverException exception) when (exception.Error == NoDevice)
        {
            return new(HasDriver: false, null, [], Failure: null);
        }
        catch (CudaDriverException exception)
        {
            return new(HasDriver: true, version, [], $"NVIDIA's driver does not tell of GPUs: {Reason(exception)}");
        }
        catch (Exception exception) when (exception is EntryPointNotFoundException or BadImageFormatException)
        {
            return new(HasDriver: true, version, [], Reason(exception));
        }
    }

    private static Version ReadVersion(CudaDriverLibrary driver)
    {
        var ask = (delegate* unmanaged<int*, int>)driver.Export("cuDriverGetVersion");
        int version;      // 1000 major + 10 minor
        driver.Check(ask(&version), "cuDriverGetVersion");
        return new(version / 1000, version % 1000 / 10);
    }

    private static List<Gpu> ReadGpus(CudaDriverLibrary driver)
    {
        var ask = (delegate* unmanaged<int*, int>)driver.Export("cuDeviceGetCount");
        int count;
        driver.Check(ask(&count), "cuDeviceGetCount");
        return [.. Enumerable.Range(0, count).Select(device => ReadGpu(driver, device))];      // a device's handle is its number
    }

    private static Gpu ReadGpu(CudaDriverLibrary driver, int device)
    {
        var gpu = new Gpu(null, null, null, null);
        var silences = new (string What, string? Why)[]
        {
            ("name", Answer(() => gpu = gpu with { Name = ReadName(driver, device) })),
            ("memory", Answer(() => gpu = gpu with { Bytes = ReadBytes(driver, device) })),
            ("multiprocessors", Answer(() => gpu = gpu with { Processors = driver.Multiprocessors(device) })),
            ("compute capability", Answer(() => gpu = gpu with { Capability = driver.Capability(device) })),
        };
        var untold = silences.Where(silence => silence.Why is not null).Select(silence => $"{silence.What} ({silence.Why})");
        return gpu with { Untold = string.Join(", ", untold) };
    }

    private static string ReadName(CudaDriverLibrary driver, int device)
    {
        var ask = (delegate* unmanaged<byte*, int, int, int>)driver.Export("cuDeviceGetName");
        var text = stackalloc byte[256];
        driver.Check(ask(text, 256, device), "cuDeviceGetName");
        return Marshal.PtrToStringUTF8((nint)text)!;
    }

    private static long ReadBytes(CudaDriverLibrary driver, int device)
    {
        var ask = (delegate* unmanaged<nuint*, int, int>)driver.Export("cuDeviceTotalMem_v2");
        nuint bytes;
        driver.Check(ask(&bytes, device), "cuDeviceTotalMem_v2");
        return (long)bytes;
    }

    /// <summary>Why one question was not answered; null where it was.</summary>
    private static string? Answer(Action ask)
    {
        try
        {
            ask();
            return null;
        }
        catch (Exception exception) when (exception is CudaDriverException or EntryPointNotFoundException)
        {
            return Reason(exception);
        }
    }

    private static string Reason(Exception exception) =>
        exception is CudaDriverException failed ? $"{failed.Call} gave error {failed.Error}, {failed.Meaning}" : exception.Message.TrimEnd('.');
}

/// <summary>A GPU. Null is what the driver does not tell.</summary>
/// <param name="Name">As its maker names it.</param>
/// <param name="Bytes">Its memory.</param>
/// <param name="Capability">What NVIDIA calls its compute capability.</param>
/// <param name="Processors">How many multiprocessors it has.</param>
internal sealed record Gpu(string? Name, long? Bytes, Version? Capability, int? Processors)
{
    /// <summary>What the driver does not tell and why, in words; empty where it tells all.</summary>
    public string Untold { get; init; } = "";

    public override string ToString()
    {
        string?[] told =
        [
            Name ?? "a GPU",
            Bytes is { } bytes ? FormattableString.Invariant($"{bytes / (double)(1 << 30):f1} GiB") : null,
            Processors is { } processors ? $"{processors} multiprocessors" : null,
            Capability is { } capability ? $"compute capability {capability}" : null,
        ];
        var text = string.Join(", ", told.OfType<string>());
        return Untold.Length == 0 ? text : $"{text}; the driver does not tell: {Untold}";
    }
}
