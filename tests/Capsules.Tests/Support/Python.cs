using System.Diagnostics;

namespace Capsules.Tests;

/// <summary>Python as a program that is not ours, with its standard library alone.</summary>
internal static class Python
{
    /// <summary>Runs it and gives what it wrote. Skips the test where there is no python3.</summary>
    public static string Run(string[] arguments, string input = "")
    {
        var start = new ProcessStartInfo("python3", ["-X", "utf8", .. arguments])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        try
        {
            using var python = Process.Start(start)!;
            var (output, error) = (python.StandardOutput.ReadToEndAsync(), python.StandardError.ReadToEndAsync());
            using (var to = python.StandardInput)
            {
                to.Write(input);
            }

            python.WaitForExit();
            python.ExitCode.Should().Be(0, error.Result);
            return output.Result;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("There is no python3 here.");
            throw;
        }
    }
}
