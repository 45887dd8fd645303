using System.Diagnostics;
using System.Text;

namespace Capsules.Package.Tests;

/// <summary>Runs the dotnet command as a user's shell would: without what the test run around it left in the environment.</summary>
internal static class Dotnet
{
    // MSBuild and the test host point these at their own SDK, extensions, settings and profilers; the child picks its own.
    // The package cache is set by the consumer's nuget.config, which NUGET_PACKAGES would override.
    // PreferredUILang is what dotnet makes of DOTNET_CLI_UI_LANGUAGE for its children; to a compiler without cultures it is a warning.
    private static readonly string[] NotInherited =
        ["MSBUILD", "VSTEST", "TESTINGPLATFORM", "CORECLR_", "COR_", "DOTNET_STARTUP_HOOKS", "NUGET_PACKAGES", "NUGET_FALLBACK_PACKAGES",
            "PREFERREDUILANG", "VSLANG"];

    /// <summary>Standard output and error of <c>dotnet arguments</c>, which must end with exit code 0 within <paramref name="timeout"/>.</summary>
    public static async Task<string> Run(string folder, TimeSpan timeout, params string[] arguments)
    {
        var start = Start(folder, arguments);
        foreach (string name in start.Environment.Keys.Where(n => NotInherited.Any(p => n.StartsWith(p, StringComparison.OrdinalIgnoreCase))).ToList())
        {
            start.Environment.Remove(name);
        }

        // Nothing may outlive the command: no MSBuild node, no build server, no compiler server.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
        start.Environment["UseSharedCompilation"] = "false";
        return await Run(start, timeout);
    }

    /// <summary>The package cache that the repository's own restore fills, in the unchanged environment.</summary>
    public static async Task<string> PackageCache()
    {
        string[] arguments = ["nuget", "locals", "global-packages", "--list", "--force-english-output"];
        string output = await Run(Start(Repository.Root, arguments), TimeSpan.FromMinutes(1));
        const string Label = "global-packages:";
        return output[(output.IndexOf(Label, StringComparison.Ordinal) + Label.Length)..].Trim();
    }

    private static ProcessStartInfo Start(string folder, string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.Environment["DOTNET_NOLOGO"] = "1";
        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        start.Environment["DOTNET_CLI_UI_LANGUAGE"] = "en";
        start.Environment["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1";
        return start;
    }

    private static async Task<string> Run(ProcessStartInfo start, TimeSpan timeout)
    {
        string command = $"dotnet {string.Join(' ', start.ArgumentList)} (in {start.WorkingDirectory})";
        var output = new StringBuilder();
        void Keep(object sender, DataReceivedEventArgs e)
        {
            lock (output) { output.AppendLine(e.Data); }
        }

        using var process = new Process { StartInfo = start };
        process.OutputDataReceived += Keep;
        process.ErrorDataReceived += Keep;
        process.Start();
        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();

        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        cancel.CancelAfter(timeout);
        try
        {
            await process.WaitForExitAsync(cancel.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            lock (output) { throw new TimeoutException($"{command} was stopped after {timeout}. Its output:\n{output}"); }
        }

        lock (output)
        {
            return process.ExitCode == 0
                ? output.ToString()
                : throw new InvalidOperationException($"{command} ended with exit code {process.ExitCode}. Its output:\n{output}");
        }
    }
}
