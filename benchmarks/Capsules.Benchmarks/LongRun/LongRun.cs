using System.Diagnostics;
using Capsules.Samples;

namespace Capsules.Benchmarks;

/// <summary>The same training twice: stopped at random moments and gone on with, and without a stop.</summary>
/// <param name="training">What both runs are asked for, but for the number of epochs.</param>
/// <param name="machine">What a resumed run must be told again.</param>
/// <param name="place">The folder for both.</param>
/// <param name="say">Hears how it goes.</param>
internal sealed class LongRun(string[] training, string[] machine, string place, Action<string> say)
{
    // More than fit; where the schedule is constant, the number changes nothing before the end.
    private const int Endless = 1_000_000;

    /// <summary>The run that is stopped, for about a time.</summary>
    /// <param name="time">The time.</param>
    /// <param name="between">From a start to the next stop, in the mean; drawn evenly from none to twice as much.</param>
    /// <param name="random">Draws moments and signals.</param>
    /// <param name="cancellation">Ends it.</param>
    public async Task<StoppedRun> StoppedAsync(TimeSpan time, TimeSpan between, Random random, CancellationToken cancellation)
    {
        var output = Path.Combine(place, "stopped");
        var clock = Stopwatch.StartNew();
        var (terminated, killed, early, most) = (0, 0, 0, 0L);
        while (clock.Elapsed < time)
        {
            var delay = random.NextDouble() * 2 * between;
            var signal = OperatingSystem.IsWindows() || random.Next(2) == 0 ? StopSignal.Kill : StopSignal.Terminate;
            var outcome = await SampleProcess.RunAsync(Arguments(output, Endless), delay, signal, cancellation);
            (terminated, killed) = signal == StopSignal.Kill ? (terminated, killed + 1) : (terminated + 1, killed);
            early += Run(output) is { } begun && File.Exists(RunFolder.At(begun).Last) ? 0 : 1;
            most = Math.Max(most, outcome.Resident.Max(look => look.Bytes));
            say($"{clock.Elapsed.TotalMinutes:f1} min: {signal} after {outcome.Time.TotalSeconds:f1} s, {Epochs(output)} epochs, {outcome.Resident[^1].Bytes / 1e6:f0} MB");
        }

        // The epoch that it is in is its last.
        var epochs = Epochs(output) + 1;
        var end = await SampleProcess.RunAsync(Arguments(output, epochs), null, StopSignal.Terminate, cancellation);
        return new StoppedRun(Run(output)!, epochs, terminated, killed, early, clock.Elapsed, Math.Max(most, end.Resident.Max(look => look.Bytes)));
    }

    /// <summary>The run that is not.</summary>
    public async Task<WholeRun> UninterruptedAsync(int epochs, CancellationToken cancellation)
    {
        say($"{epochs} epochs without a stop");
        var output = Path.Combine(place, "whole");
        var outcome = await SampleProcess.RunAsync(Arguments(output, epochs), null, StopSignal.Terminate, cancellation);
        return new WholeRun(Run(output)!, outcome.Time, outcome.Resident);
    }

    private string[] Arguments(string output, int epochs)
    {
        string[] end = ["--epochs", $"{epochs}", .. machine];
        if (Run(output) is { } run && RunFolder.At(run).IsBegun)
        {
            return ["train", "--resume", run, .. end];
        }

        if (Directory.Exists(output))
        {
            Directory.Delete(output, recursive: true);      // killed before it had a config.json: nothing to go on with
        }

        return [.. training, .. end, "--output", output];
    }

    private static int Epochs(string output) => Run(output) is { } run && RunFolder.At(run).IsBegun ? RunFolder.At(run).Describe().State.History.Count : 0;

    private static string? Run(string output) => Directory.Exists(output) ? Directory.GetDirectories(output).SingleOrDefault() : null;
}

/// <summary>A run that was stopped again and again.</summary>
/// <param name="Folder">Its run folder.</param>
/// <param name="Epochs">Its epochs.</param>
/// <param name="Terminated">How often it was asked to end.</param>
/// <param name="Killed">How often it was killed.</param>
/// <param name="BeforeCheckpoint">How often before there was a checkpoint.</param>
/// <param name="Time">How long it took, all in all.</param>
/// <param name="MostResident">The most memory that any of its processes had.</param>
internal sealed record StoppedRun(string Folder, int Epochs, int Terminated, int Killed, int BeforeCheckpoint, TimeSpan Time, long MostResident);

/// <summary>A run without a stop.</summary>
/// <param name="Folder">Its run folder.</param>
/// <param name="Time">How long it took.</param>
/// <param name="Resident">Its memory over time.</param>
internal sealed record WholeRun(string Folder, TimeSpan Time, IReadOnlyList<(TimeSpan Time, long Bytes)> Resident);
