using System.Diagnostics;

namespace Capsules.Benchmarks;

/// <summary>The parent's end of a <see cref="NetworkChild"/>.</summary>
internal sealed class ChildProcess : IDisposable
{
    private readonly Process _process;

    public ChildProcess(string network, int batch, int threads, string device)
    {
        Network = network;
        _process = SelfProcess.Start(true, NetworkChild.Name, network, $"{batch}", $"{threads}", device);
    }

    public string Network { get; }

    /// <summary>Gives an order and waits for its number.</summary>
    /// <exception cref="InvalidOperationException">The process has ended.</exception>
    public double Ask(string order)
    {
        _process.StandardInput.WriteLine(order);
        return _process.StandardOutput.ReadLine() is { } line
            ? double.Parse(line)
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
