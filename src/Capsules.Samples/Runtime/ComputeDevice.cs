using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>What <c>--device</c> takes.</summary>
internal static class ComputeDevice
{
    public static readonly string[] Names = ["auto", "cpu", "cuda"];

    /// <summary>The device of a name; auto takes a GPU where there is one.</summary>
    /// <exception cref="UserException">cuda was asked for and there is none.</exception>
    public static Device Open(string name)
    {
        if (name == "cpu" || (name == "auto" && !cuda.is_available()))
        {
            return CPU;
        }

        if (!cuda.is_available())
        {
            throw new UserException(
                "No CUDA device is available to this build. Build with -p:TorchBackend=cuda on a machine with an NVIDIA GPU and driver (docs/gpu.md), or " +
                $"use --device cpu. What info says of CUDA: {BackEnd.Cuda}.");
        }

        return CUDA;
    }

    /// <summary>A device in words, as "cpu, 2 threads".</summary>
    public static string Describe(Device device) => device.type == DeviceType.CUDA ? CudaName(device) : $"cpu, {get_num_threads()} threads";

    private static string CudaName(Device device) =>
        CudaDriver.Inventory.Gpus.ElementAtOrDefault(Math.Max(device.index, 0)) is { Name: { } name } ? $"cuda, {name}" : "cuda";
}
