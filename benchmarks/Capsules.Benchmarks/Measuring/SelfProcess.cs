using System.Diagnostics;

namespace Capsules.Benchmarks;

/// <summary>This program once more, in a process of its own.</summary>
internal static class SelfProcess
{
    /// <summary>Runs it.</summary>
    /// <returns>What it wrote to standard output. What it wrote to standard error is on this process's.</returns>
    public static string Run(params string[] arguments)
    {
        using var process = Start(false, arguments);
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output.Trim();
    }

    /// <summary>Starts it; its standard output is the caller's to read, and its standard input, where asked for, to write.</summary>
    public static Process Start(bool redirectInput, params string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardInput = redirectInput, RedirectStandardOutput = true };

        // "dotnet program.dll" needs the program again; the program's own executable does not.
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            start.ArgumentList.Add(Environment.GetCommandLineArgs()[0]);
        }

        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start)!;
    }
}
