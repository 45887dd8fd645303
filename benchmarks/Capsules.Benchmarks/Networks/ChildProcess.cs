using System.Diagnostics;
using System.Globalization;

namespace Capsules.Benchmarks;

/// <summary>The parent's end of a <see cref="NetworkChild"/>.</summary>
internal sealed class ChildProcess : IDisposable
{
    private readonly Process _process;

    public ChildProcess(string network, int batch, int threads, string device)
    {
        Network = network;
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardInput = true, RedirectStandardOutput = true };

        // "dotnet program.dll" needs the program again; the program's own executable does not.
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            start.ArgumentList.Add(Environment.GetCommandLineArgs()[0]);
        }

        foreach (var argument in (string[])[NetworkChild.Name, network, $"{batch}", $"{threads}", device])
        {
            start.ArgumentList.Add(argument);
        }

        _process = Process.Start(start)!;
    }

    public string Network { get; }

    /// <summary>Gives an order and waits for its number.</summary>
    /// <exception cref="InvalidOperationException">The process has ended.</exception>
    public double Ask(string order)
    {
        _process.StandardInput.WriteLine(order);
        return _process.StandardOutput.ReadLine() is { } line
            ? double.Parse(line, CultureInfo.InvariantCulture)
            : throw new InvalidOperationException($"The process of '{Network}' ended; its message is above.");
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(TimeSpan.FromSeconds(10)))
        {
            _process.Kill();
        }

        _process.Dispose();
    }
}
