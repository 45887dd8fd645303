namespace Capsules.Samples;

/// <summary>NVIDIA's driver on this machine, asked without torch: torch binds none of it.</summary>
internal static unsafe class CudaDriver
{
    private static readonly Lazy<GpuInventory> Asked = new(static () => GpuInventory.Read(CudaDriverLibrary.Load));

    /// <summary>What it told when it was first asked.</summary>
    public static GpuInventory Inventory => Asked.Value;

    /// <summary>Bytes that are free on the calling thread's GPU, and all that it has.</summary>
    /// <exception cref="InvalidOperationException">CUDA is not in use on this thread.</exception>
    public static (long Free, long Total) Memory()
    {
        nuint free = 0, total = 0;
        try
        {
            var driver = CudaDriverLibrary.Load();
            var ask = (delegate* unmanaged<nuint*, nuint*, int>)driver.Export("cuMemGetInfo_v2");
            driver.Check(ask(&free, &total), "cuMemGetInfo_v2");
        }
        catch (Exception exception) when (exception is CudaDriverException or DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)
        {
            throw new InvalidOperationException(
                $"The driver does not tell how much memory is free: CUDA is not in use on this thread. {exception.Message}", exception);
        }

        return ((long)free, (long)total);
    }
}
