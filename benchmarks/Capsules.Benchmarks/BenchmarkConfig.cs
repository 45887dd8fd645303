using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters.Json;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace Capsules.Benchmarks;

/// <summary>How BenchmarkDotNet runs here.</summary>
internal static class BenchmarkConfig
{
    private static readonly string[] JobOptions = ["--job", "-j"];

    /// <summary>The configuration; a job on the command line replaces the default one instead of running beside it.</summary>
    public static IConfig For(string[] args)
    {
        var config = ManualConfig.Create(DefaultConfig.Instance)
            .AddDiagnoser(MemoryDiagnoser.Default)
            .AddExporter(JsonExporter.Brief)
            .WithArtifactsPath(Path.Combine("artifacts", "benchmarks"));
        return args.Any(JobOptions.Contains) ? config : config.AddJob(Default());
    }

    /// <summary>In process, or each job would copy half a gigabyte of libtorch; its usual limit of 5 minutes is too short here.</summary>
    private static Job Default() => Job.Default
        .WithToolchain(new InProcessEmitToolchain(TimeSpan.FromHours(1), logOutput: true))
        .WithWarmupCount(3)
        .WithIterationCount(10);

    /// <summary>A job from the command line runs in process too.</summary>
    public static string[] Arguments(string[] args) => args.Any(JobOptions.Contains) ? [.. args, "--inProcess"] : args;
}
