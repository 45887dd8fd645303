using TorchSharp;

namespace Capsules.Samples;

/// <summary>What computes, in words: for <c>info</c> and for the run's config.json.</summary>
internal static class BackEnd
{
    /// <summary>Where libtorch comes from.</summary>
    public static string Source => LibtorchLoader.Loaded is { } loaded ? $"libtorch of the PyTorch in {loaded.Folder}" : "libtorch carried by this build";

    /// <summary>libtorch's version, and what of it cannot be used.</summary>
    public static string Libtorch
    {
        get
        {
            var version = $"{LibtorchLoader.Version?.ToString() ?? "unknown"} (TorchSharp was built against {torch.__version__})";
            return LibtorchLoader.Loaded?.Missing is { } missing ? $"{version}\nlacks functions that TorchSharp may call: {missing}" : version;
        }
    }

    /// <summary>CUDA's version, or why there is none.</summary>
    public static string Cuda
    {
        get
        {
            var driver = CudaDriver.Inventory;
            if (!torch.cuda.is_available())
            {
                return $"none: {WhyNoGpu(driver)}";
            }

            var built = LibtorchLoader.Loaded?.Cuda is { } cuda ? $"libtorch is built for {cuda}, " : "";
            return $"{built}{Served(driver)}; {torch.cuda.device_count()} device(s)";
        }
    }

    /// <summary>The GPUs that torch can use, each in words.</summary>
    public static IEnumerable<string> Gpus => torch.cuda.is_available() ? CudaDriver.Inventory.Gpus.Select(gpu => $"{gpu}") : [];

    /// <summary>Why torch sees no GPU, as far as the driver's answers and the build tell.</summary>
    public static string WhyNoGpu(GpuInventory driver) => driver.Failure
        ?? (!driver.HasDriver ? "no NVIDIA driver with a GPU on this machine"
            : driver.Gpus.Count == 0 ? "the driver shows this process no GPU (CUDA_VISIBLE_DEVICES?)"
            : LibtorchLoader.Loaded is null ? "this build's libtorch is for the CPU alone (see docs/gpu.md)"
            : "this PyTorch's libtorch is for the CPU alone, or for a newer driver");

    /// <summary>Which CUDA the driver serves, and what it does not tell.</summary>
    public static string Served(GpuInventory driver)
    {
        var version = driver.Version is { } newest ? $"the driver serves up to {newest}" : "the driver does not tell which version it serves";
        return driver.Failure is { } failure ? $"{version}. {failure}" : version;
    }

    /// <summary>Where routing is computed by a fused kernel, and where it is not, why.</summary>
    public static string RoutingKernel => $"CPU: fused, float32 and bfloat16\nCUDA: {CudaRouting.Status}";
}
