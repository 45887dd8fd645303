using System.Diagnostics;
using Capsules.Samples;

namespace Capsules.Benchmarks;

/// <summary>The sample in a process of its own, which is watched and may be stopped.</summary>
internal static class SampleProcess
{
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromSeconds(1);

    /// <summary>Runs it, to its end or until it is stopped.</summary>
    /// <param name="arguments">Its command line.</param>
    /// <param name="stopAfter">When it is to be stopped; null for never.</param>
    /// <param name="stop">How.</param>
    /// <param name="cancellation">Kills it, and ends the wait.</param>
    /// <exception cref="InvalidOperationException">It failed; the message is its own.</exception>
    public static async Task<SampleOutcome> RunAsync(string[] arguments, TimeSpan? stopAfter, StopSignal stop, CancellationToken cancellation)
    {
        // Beside this program lies the sample whole: it is a project that this one refers to.
        var start = new ProcessStartInfo("dotnet", [typeof(Checkpoint).Assembly.Location, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(cancellation), process.StandardError.ReadToEndAsync(cancellation));
        var (clock, resident) = (Stopwatch.StartNew(), new List<(TimeSpan Time, long Bytes)>());
        var isStopped = false;
        try
        {
            while (!process.HasExited)
            {
                process.Refresh();
                try
                {
                    resident.Add((clock.Elapsed, process.WorkingSet64));
                }
                catch (InvalidOperationException)
                {
                    break;      // it ended between the two looks
                }

                var left = stopAfter - clock.Elapsed;
                if (!isStopped && left <= TimeSpan.Zero)
                {
                    isStopped = true;
                    await SendAsync(process, stop, cancellation);
                }

                await Task.WhenAny(process.WaitForExitAsync(cancellation), Task.Delay(!isStopped && left < BetweenLooks ? left.Value : BetweenLooks, cancellation));
                cancellation.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw;
        }

        await process.WaitForExitAsync(cancellation);
        _ = await output;
        return process.ExitCode == 0 || isStopped && IsEndBy(stop, process.ExitCode)
            ? new SampleOutcome(process.ExitCode == 0, clock.Elapsed, resident)
            : throw new InvalidOperationException($"'{string.Join(' ', arguments)}' ended with {process.ExitCode}: {(await error).Trim()}");
    }

    // Asked to end, it has stopped itself, or had no answer to the signal yet. Any other end, a crash while it saves for one, is its own.
    private static bool IsEndBy(StopSignal stop, int code) => OperatingSystem.IsWindows()
        || (stop == StopSignal.Kill ? code == 128 + 9 : code is TrainingRun.Interrupted or 128 + 15);

    private static async Task SendAsync(Process process, StopSignal stop, CancellationToken cancellation)
    {
        if (stop == StopSignal.Kill)
        {
            process.Kill();
            return;
        }

        using var kill = Process.Start("kill", ["-TERM", process.Id.ToString()]);
        await kill.WaitForExitAsync(cancellation);
    }
}

/// <summary>How a process is stopped: asked to save and end, or ended without warning.</summary>
internal enum StopSignal
{
    Terminate,
    Kill,
}

/// <summary>How the sample's process ended.</summary>
/// <param name="IsComplete">Whether it came to its end, and was not stopped before.</param>
/// <param name="Time">How long it ran.</param>
/// <param name="Resident">Its resident memory, a second apart.</param>
internal sealed record SampleOutcome(bool IsComplete, TimeSpan Time, IReadOnlyList<(TimeSpan Time, long Bytes)> Resident);
