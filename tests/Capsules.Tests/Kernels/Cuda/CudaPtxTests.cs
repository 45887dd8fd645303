using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using static TorchSharp.torch;

namespace Capsules.Tests.Kernels;

public sealed partial class CudaPtxTests
{
    private static readonly string[] VectorKernels = ["finish", "start", "step"];

    private static readonly string[] LayoutKernels = ["uniform", "coupled", "agreement", "gradient"];

    public static TheoryData<ScalarType> Dtypes => [.. CudaPtx.Dtypes];

    [Theory]
    [MemberData(nameof(Dtypes))]
    public void Text_FirstLines_AreTheHashOfTheSourcesAndTheDtype(ScalarType dtype)
    {
        // Line ends as git keeps them, whatever the checkout made of them: build.sh hashes the files one after the other.
        var sources = string.Concat(CudaSources.KernelFiles.Select(path => File.ReadAllText(path).ReplaceLineEndings("\n")));
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(sources)));
        Ptx(dtype).Should().StartWith(
            $"// source sha256 {hash}\n// stored as {dtype.ToString().ToLowerInvariant()}\n",
            "the .ptx.gz files are to be made anew by build.sh when their sources change");
    }

    [Theory]
    [MemberData(nameof(Dtypes))]
    public void Text_End_IsZero(ScalarType dtype) => CudaPtx.Text(dtype)[^1].Should().Be(0);

    [Theory]
    [MemberData(nameof(Dtypes))]
    public void Text_Target_IsComputeCapabilitySeven(ScalarType dtype) =>
        Ptx(dtype).Should().Contain(".target sm_70").And.Contain(".address_size 64");

    [Theory]
    [MemberData(nameof(Dtypes))]
    public void Text_Kernels_KeepNothingInLocalMemory(ScalarType dtype) => Ptx(dtype).Should().NotContain("__local_depot");

    [Theory]
    [MemberData(nameof(Dtypes))]
    public void Text_Kernels_LoadFourWeightsAtOnceAndTouchSixteenBitsWhereTheDtypeHasThem(ScalarType dtype)
    {
        var text = Ptx(dtype);
        var isNarrow = dtype != ScalarType.Float32;
        text.Contains("ld.global.u64", StringComparison.Ordinal).Should().Be(isNarrow);
        text.Contains("st.global.u16", StringComparison.Ordinal).Should().Be(isNarrow);
        text.Contains("cvt.rn.f16.f32", StringComparison.Ordinal).Should().Be(dtype == ScalarType.Float16);
    }

    [Fact]
    public void Text_DtypeWithoutKernels_Throws()
    {
        var text = () => CudaPtx.Text(ScalarType.Float64);
        text.Should().Throw<NotSupportedException>().WithMessage("This build of Capsules has no Capsules.routing.float64.ptx.gz in it.");
    }

    [Theory]
    [MemberData(nameof(Dtypes))]
    public void Entries_AreThoseThatAreLaunched(ScalarType dtype)
    {
        var expected = VectorKernels
            .Concat(from kind in LayoutKernels from layout in CudaRoutingLayout.All select $"{kind}_{layout.Name}")
            .Select(name => $"capsules_routing_{name}");
        Entries(dtype).Keys.Should().BeEquivalentTo(expected);
    }

    [Theory]
    [MemberData(nameof(Dtypes))]
    public void Entries_Parameters_HaveTheSizeOfTheArguments(ScalarType dtype)
    {
        foreach (var (name, (bytes, _)) in Entries(dtype))
        {
            bytes.Should().Be(SizeOfArguments(name), name);
        }
    }

    [Theory]
    [MemberData(nameof(Dtypes))]
    public void Entries_Threads_AreAsManyAsAreLaunchedAtMost(ScalarType dtype)
    {
        foreach (var (name, (_, threads)) in Entries(dtype))
        {
            threads.Should().Be(name.Contains("_J", StringComparison.Ordinal) ? 128 : CudaRoutingPlan.VectorThreads, name);
        }
    }

    // The tests above read PTX as clang writes it: of another compiler's they would ask what need not be there.
    [Fact]
    public void Script_CompilerThatIsNoClang_IsRefusedAndNothingIsWritten()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The script is run by sh.");
        var before = PtxFiles();
        var start = new ProcessStartInfo("sh", [Path.Combine(CudaSources.Kernel, "build.sh")]) { RedirectStandardError = true };
        start.Environment["COMPILER"] = "sh";
        using var process = Process.Start(start)!;
        process.StandardError.ReadToEnd().Should().Be("build.sh: sh is no clang. Name one in COMPILER.\n");
        process.WaitForExit();
        process.ExitCode.Should().Be(1);
        PtxFiles().Should().Equal(before);

        static List<DateTime> PtxFiles() =>
            [.. Directory.GetFiles(CudaSources.Kernel, "*.ptx.gz").Order(StringComparer.Ordinal).Select(File.GetLastWriteTimeUtc)];
    }

    private static string Ptx(ScalarType dtype) => Encoding.ASCII.GetString(CudaPtx.Text(dtype));

    private static Dictionary<string, (int Bytes, int Threads)> Entries(ScalarType dtype) =>
        EntryPattern().Matches(Ptx(dtype)).ToDictionary(
            match => match.Groups["name"].Value,
            match => (int.Parse(match.Groups["bytes"].Value), int.Parse(match.Groups["threads"].Value)));

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
