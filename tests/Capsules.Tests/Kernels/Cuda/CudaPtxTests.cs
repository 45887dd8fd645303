using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Capsules.Tests.Kernels;

public sealed partial class CudaPtxTests
{
    private static readonly string[] Sources = ["routing.cu", "device.cuh"];

    private static readonly string[] VectorKernels = ["finish", "start", "step"];

    private static readonly string[] LayoutKernels = ["uniform", "coupled", "agreement", "gradient"];

    private static readonly string Ptx = Encoding.ASCII.GetString(CudaPtx.Text);

    private static readonly Dictionary<string, (int Bytes, int Threads)> Entries = EntryPattern().Matches(Ptx).ToDictionary(
        match => match.Groups["name"].Value,
        match => (int.Parse(match.Groups["bytes"].Value), int.Parse(match.Groups["threads"].Value)));

    [Fact]
    public void Text_FirstLine_IsTheHashOfTheSources()
    {
        // Line ends as git keeps them, whatever the checkout made of them: build.sh hashes the files one after the other.
        var sources = string.Concat(Sources
            .Select(name => File.ReadAllText(Path.Combine(CudaSources.Kernel, name)).ReplaceLineEndings("\n")));
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(sources)));
        Ptx.Should().StartWith($"// source sha256 {hash}\n", "routing.ptx.gz is to be made anew by build.sh when its sources change");
    }

    [Fact]
    public void Text_End_IsZero() => CudaPtx.Text[^1].Should().Be(0);

    [Fact]
    public void Text_Target_IsComputeCapabilitySeven() => Ptx.Should().Contain(".target sm_70").And.Contain(".address_size 64");

    [Fact]
    public void Text_Kernels_KeepNothingInLocalMemory() => Ptx.Should().NotContain("__local_depot");

    [Fact]
    public void Entries_AreThoseThatAreLaunched()
    {
        var expected = VectorKernels
            .Concat(from kind in LayoutKernels from layout in CudaRoutingLayout.All select $"{kind}_{layout.Name}")
            .Select(name => $"capsules_routing_{name}");
        Entries.Keys.Should().BeEquivalentTo(expected);
    }

    [Fact]
    public void Entries_Parameters_HaveTheSizeOfTheArguments()
    {
        foreach (var (name, (bytes, _)) in Entries)
        {
            bytes.Should().Be(SizeOfArguments(name), name);
        }
    }

    [Fact]
    public void Entries_Threads_AreAsManyAsAreLaunchedAtMost()
    {
        foreach (var (name, (_, threads)) in Entries)
        {
            threads.Should().Be(name.Contains("_J", StringComparison.Ordinal) ? 128 : CudaRoutingPlan.VectorThreads, name);
        }
    }

    private static int SizeOfArguments(string entry) => entry.Split('_')[2] switch
    {
        "finish" => Unsafe.SizeOf<CudaFinishArguments>(),
        "start" => Unsafe.SizeOf<CudaStartArguments>(),
        "step" => Unsafe.SizeOf<CudaStepArguments>(),
        "gradient" => Unsafe.SizeOf<CudaGradientArguments>(),
        _ => Unsafe.SizeOf<CudaPassArguments>(),
    };

    [GeneratedRegex(@"\.entry (?<name>\w+)\(\s*\.param \.align 8 \.b8 \w+\[(?<bytes>\d+)\]\s*\)\s*\.maxntid (?<threads>\d+), 1, 1")]
    private static partial Regex EntryPattern();
}
