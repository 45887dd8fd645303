using System.Diagnostics;

namespace Capsules.Samples.Tests;

/// <summary>The sample in a process of its own, which signals, full disks and kills can reach.</summary>
internal static class SampleProgram
{
    /// <summary>Starts it with a command line; the caller reads what it writes, or lets <see cref="EndAsync"/> do so.</summary>
    /// <param name="arguments">The command line.</param>
    /// <param name="environment">Variables that it gets beside this process's; null for those that it must not have.</param>
    /// <param name="prologue">What bash does first, in the process that the program then takes over.</param>
    public static Process Start(IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null, string? prologue = null)
    {
        string[] all = [typeof(CommandLine).Assembly.Location, .. arguments];
        var start = prologue is null
            ? new ProcessStartInfo("dotnet", all)
            : new ProcessStartInfo("bash", ["-c", $"{prologue}; exec dotnet \"$@\"", "bash", .. all]);
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>())
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    /// <summary>Reads what it writes until it ends.</summary>
    public static async Task<Ended> EndAsync(this Process program, CancellationToken stop)
    {
        var (output, error) = (program.StandardOutput.ReadToEndAsync(stop), program.StandardError.ReadToEndAsync(stop));
        await program.WaitForExitAsync(stop);
        return new Ended(program.ExitCode, await output, await error);
    }

    /// <summary>Runs a command line to its end, in the test's time.</summary>
    public static async Task<Ended> RunAsync(IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null, string? prologue = null)
    {
        using var program = Start(arguments, environment, prologue);
        return await program.EndAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>Its exit code and what it wrote.</summary>
    internal sealed record Ended(int Code, string Output, string Error)
    {
        /// <summary>All that it wrote, to tell where a test fails.</summary>
        public string Text => Output + Error;
    }
}
