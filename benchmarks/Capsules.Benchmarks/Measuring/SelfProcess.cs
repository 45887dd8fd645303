using System.Diagnostics;

namespace Capsules.Benchmarks;

/// <summary>This program once more, in a process of its own.</summary>
internal static class SelfProcess
{
    /// <summary>Runs it.</summary>
    /// <returns>What it wrote to standard output. What it wrote to standard error is on this process's.</returns>
    public static string Run(params string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };

        // "dotnet program.dll" needs the program again; the program's own executable does not.
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            start.ArgumentList.Add(Environment.GetCommandLineArgs()[0]);
        }

        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output.Trim();
    }
}
