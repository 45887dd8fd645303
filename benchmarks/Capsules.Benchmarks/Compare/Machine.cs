using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Capsules.Samples;

namespace Capsules.Benchmarks;

/// <summary>What a report must say of where it was measured.</summary>
internal sealed record Machine(string Date, string Processor, int Processors, int Vectors, double MemoryGiB, string System, string Runtime, string Libtorch, int Threads, string Version, string? Gpu)
{
    /// <param name="device">Where it is measured. Default: the CPU.</param>
    public static Machine ThisOne(torch.Device? device = null) => new(
        DateTime.UtcNow.ToString("yyyy-MM-dd", null),
        ProcessorName(),
        Environment.ProcessorCount,
        Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128,
        Math.Round(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (double)(1 << 30), 1),
        RuntimeInformation.OSDescription,
        RuntimeInformation.FrameworkDescription,
        LibtorchLoader.Version?.ToString() ?? torch.__version__,
        torch.get_num_threads(),
        typeof(CapsuleLayer).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion,
        device?.type == DeviceType.CUDA ? $"{CudaDriver.Inventory.Gpus.ElementAtOrDefault(Math.Max(device.index, 0))}; driver for CUDA {CudaDriver.Inventory.Version}" : null);

    public override string ToString() =>
        $"{Date}, {(Gpu is null ? "" : $"{Gpu}; ")}{Processor}, {Processors} processors, {Vectors}-bit vectors, {MemoryGiB} GiB; {System}; {Runtime}; libtorch {Libtorch}; {Threads} threads; Capsules {Version}";

    private static string ProcessorName()
    {
        const string Facts = "/proc/cpuinfo";
        var line = File.Exists(Facts) ? File.ReadLines(Facts).FirstOrDefault(text => text.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line is null ? RuntimeInformation.ProcessArchitecture.ToString() : line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
    }
}
