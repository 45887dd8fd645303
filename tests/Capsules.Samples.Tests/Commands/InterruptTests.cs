using System.Diagnostics;
using System.Globalization;

namespace Capsules.Samples.Tests.Commands;

/// <summary>Ctrl-C in a process of its own, as a user presses it.</summary>
public class InterruptTests
{
    [Fact]
    public async Task Train_Interrupted_SavesSaysHowToGoOnAndCanBeResumed()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Signals are sent with kill.");
        var stop = TestContext.Current.CancellationToken;
        using var folder = new TemporaryFolder();
        using var program = SampleProgram.Start(["train", "--dataset", "builtin", "--images", "5000", "--batch-size", "10", "--output", folder.Path]);

        if (IgnoresInterrupts(program))
        {
            program.Kill();
            Assert.Skip("Ctrl-C is ignored here, as a shell has it for what it starts in the background, and a program keeps to that.");
        }

        // The run folder is named once everything is set up; then the first steps run.
        string? line;
        do
        {
            line = await program.StandardOutput.ReadLineAsync(stop);
        }
        while (line is not null && !line.StartsWith("run folder:", StringComparison.Ordinal));
        await Task.Delay(TimeSpan.FromSeconds(1), stop);
        Process.Start("kill", ["-INT", program.Id.ToString(CultureInfo.InvariantCulture)]).WaitForExit();
        var (code, rest, error) = await program.EndAsync(stop).WaitAsync(TimeSpan.FromMinutes(2), stop);

        code.Should().Be(130, "{0}{1}", rest, error);
        var run = Directory.GetDirectories(folder.Path).Single();
        rest.Should().Contain($"Stopped and saved. Go on with: train --resume \"{run}\"");
        var checkpoint = Checkpoint.Describe(Path.Combine(run, "last.ckpt"));
        checkpoint.State.StepInEpoch.Should().BeInRange(0, 499);
        checkpoint.State.History.Should().BeEmpty();
    }

    // Linux alone tells.
    private static bool IgnoresInterrupts(Process program)
    {
        const string Ignored = "SigIgn:";
        const ulong Interrupt = 1UL << (2 - 1);
        var status = $"/proc/{program.Id}/status";
        var line = File.Exists(status) ? File.ReadLines(status).FirstOrDefault(line => line.StartsWith(Ignored, StringComparison.Ordinal)) : null;
        return line is not null && (ulong.Parse(line[Ignored.Length..].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) & Interrupt) != 0;
    }
}
