using System.Diagnostics;
using System.Globalization;
using Capsules.Benchmarks;

namespace Capsules.Samples.Tests.Commands;

/// <summary>
/// A training in a process of its own that is killed without warning, again and again, at moments drawn at random. CAPSULES_TEST_KILLS says how
/// often; the suite has time for a few.
/// </summary>
public sealed class KillTests : IDisposable
{
    private const string Kills = "CAPSULES_TEST_KILLS";

    private static readonly string[] Training =
    [
        "train", "--dataset", "mnist", "--model", "efficient", "--reconstruction-weight", "0", "--images", "48", "--batch-size", "8", "--epochs", "3",
        "--threads", "1", "--seed", "5",
    ];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Train_KilledAtRandomMoments_EndsWithTheNumbersOfAnUninterruptedRun()
    {
        var stop = TestContext.Current.CancellationToken;
        var kills = int.Parse(Environment.GetEnvironmentVariable(Kills) ?? "3", CultureInfo.InvariantCulture);
        string[] data = ["--data", SmallDigits.WriteMnist(_folder)];
        var clock = Stopwatch.StartNew();
        await RunAsync([.. Training, .. data, "--output", _folder.PathOf("whole")], killAfter: null, stop);
        var (whole, length) = (RunFigures.Of(Run("whole")), clock.Elapsed);

        var random = new Random(20261125);
        var (killed, runs, killedWithin) = (0, 0, 0);
        while (killed < kills)
        {
            // A run that comes to its end before all kills are spent is checked, and another one takes the rest.
            var output = _folder.PathOf($"killed-{++runs}");
            for (var ended = false; !ended;)
            {
                string[] arguments = Directory.Exists(output) && RunFolder.At(Run(Path.GetFileName(output))).IsBegun
                    ? ["train", "--resume", Run(Path.GetFileName(output)), "--save-every", "0", "--threads", "1", .. data]
                    : [.. Training, .. data, "--save-every", "0", "--output", Fresh(output)];
                var isLast = killed == kills;
                ended = await RunAsync(arguments, isLast ? null : random.NextDouble() * length, stop);
                killed += ended ? 0 : 1;
                killedWithin += !ended && Directory.Exists(output) && Directory.GetDirectories(output).Any(run => File.Exists(Path.Combine(run, "last.ckpt"))) ? 1 : 0;
            }

            var run = Run(Path.GetFileName(output));
            RunFigures.Of(run).Should().Equal(whole, "run {0} after {1} kills", runs, killed);
            Directory.GetFiles(run, "*.tmp").Should().BeEmpty("a resumed run clears away what a kill left unfinished");
            RunFigures.Losses(run).Select(loss => loss.Step).Should().Equal(Enumerable.Range(1, 18).Select(step => (long)step), "every step is told of once");
        }

        TestContext.Current.SendDiagnosticMessage($"{killed} kills in {runs} runs, {killedWithin} of them of runs with a checkpoint, {clock.Elapsed.TotalSeconds:f0} s");
        killed.Should().Be(kills);
    }

    [Fact]
    public async Task Export_KilledAtRandomMoments_LeavesTheOldFileWholeOrTheNewOne()
    {
        var stop = TestContext.Current.CancellationToken;
        var kills = int.Parse(Environment.GetEnvironmentVariable(Kills) ?? "3", CultureInfo.InvariantCulture);
        TestRun.Save(_folder.Path);
        var file = _folder.PathOf("out", "network.safetensors");
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        string[] export = ["export", _folder.PathOf("last.ckpt"), "--format", "safetensors", "--output", file];
        var clock = Stopwatch.StartNew();
        await RunAsync(export, killAfter: null, stop);
        var (whole, length) = (await File.ReadAllBytesAsync(file, stop), clock.Elapsed);

        var random = new Random(20261125);
        for (var killed = 0; killed < kills;)
        {
            clock.Restart();
            var ended = await RunAsync(export, (0.5 + random.NextDouble() / 2) * length, stop);

            // The one before may have been slow; kills must not come too late for ever.
            (killed, length) = ended ? (killed, clock.Elapsed) : (killed + 1, length);
            (await File.ReadAllBytesAsync(file, stop)).Should().Equal(whole, "after {0} kills", killed);
        }

        TestContext.Current.SendDiagnosticMessage($"{kills} kills of export");
    }

    private string Run(string output) => Directory.GetDirectories(_folder.PathOf(output)).Single();

    private static string Fresh(string output)
    {
        if (Directory.Exists(output))
        {
            Directory.Delete(output, recursive: true);      // killed before it had a config.json: nothing to go on with
        }

        return output;
    }

    /// <returns>Whether it came to its end.</returns>
    private static async Task<bool> RunAsync(string[] arguments, TimeSpan? killAfter, CancellationToken stop)
    {
        using var program = SampleProgram.Start(arguments);
        var end = program.EndAsync(stop);
        if (killAfter is { } delay)
        {
            using var clock = CancellationTokenSource.CreateLinkedTokenSource(stop);
            clock.CancelAfter(delay);
            try
            {
                await end.WaitAsync(clock.Token);
            }
            catch (OperationCanceledException) when (!stop.IsCancellationRequested)
            {
                program.Kill();      // SIGKILL, TerminateProcess on Windows
                var killed = await end;
                if (killed.Code != 0)
                {
                    (OperatingSystem.IsWindows() || killed.Code == 128 + 9).Should().BeTrue("it ended by the kill, and not with {0}: {1}", killed.Code, killed.Text);
                    return false;
                }
            }
        }

        var ended = await end;
        ended.Code.Should().Be(0, "{0}", ended.Text);
        return true;
    }
}
