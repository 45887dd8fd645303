using System.Reflection;
using System.Runtime.InteropServices;
using TorchSharp;

namespace Capsules.Samples;

/// <summary>config.json of a run: all that decided it, so that it can be done again.</summary>
/// <param name="Options">Every option, with nothing left open.</param>
/// <param name="Dataset">The dataset.</param>
/// <param name="Source">Where its images came from.</param>
/// <param name="TrainingImages">How many there are to train on, held-out ones included.</param>
/// <param name="TestImages">How many there are to test on.</param>
/// <param name="Versions">Of the program and of what it stands on.</param>
/// <param name="Hardware">What it ran on.</param>
internal sealed record RunConfig(
    TrainingOptions Options, DatasetFacts Dataset, string Source, long TrainingImages, long TestImages, RunVersions Versions, RunHardware Hardware)
{
    public static RunConfig Of(TrainingOptions options, ImageDataset dataset, torch.Device device) => new(
        options, DatasetFacts.Of(dataset), dataset.Source, dataset.Train.Count, dataset.Test.Count, RunVersions.Current, RunHardware.Of(device));
}

/// <summary>Versions of a run.</summary>
/// <param name="Capsules">This program and library.</param>
/// <param name="Commit">The commit that they were built from; null where it is not known.</param>
/// <param name="TorchSharp">TorchSharp.</param>
/// <param name="Libtorch">libtorch, as it tells it; as TorchSharp names it where it does not.</param>
/// <param name="DotNet">The runtime.</param>
internal sealed record RunVersions(string Capsules, string? Commit, string TorchSharp, string Libtorch, string DotNet)
{
    public static RunVersions Current
    {
        get
        {
            var parts = typeof(CapsuleLayer).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+', 2);
            return new(
                parts[0], parts.ElementAtOrDefault(1), typeof(torch).Assembly.GetName().Version!.ToString(3),
                LibtorchLoader.Version?.ToString() ?? torch.__version__,
                RuntimeInformation.FrameworkDescription);
        }
    }
}

/// <summary>Hardware of a run.</summary>
/// <param name="Device">Where it computed, as "cpu, 2 threads".</param>
/// <param name="Processor">The processor's name, or its architecture where no name is to be had.</param>
/// <param name="Processors">How many the program sees.</param>
/// <param name="MemoryGiB">Memory that the program may use.</param>
/// <param name="System">The operating system.</param>
internal sealed record RunHardware(string Device, string Processor, int Processors, double MemoryGiB, string System)
{
    public static RunHardware Of(torch.Device device) => new(
        ComputeDevice.Describe(device), ProcessorName(), Environment.ProcessorCount,
        Math.Round(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (double)(1 << 30), 1), RuntimeInformation.OSDescription);

    private static string ProcessorName()
    {
        const string LinuxFacts = "/proc/cpuinfo";
        var line = File.Exists(LinuxFacts) ? File.ReadLines(LinuxFacts).FirstOrDefault(text => text.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line?[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim()
            ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? RuntimeInformation.ProcessArchitecture.ToString();
    }
}
