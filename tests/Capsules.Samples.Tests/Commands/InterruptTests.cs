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

        // The run folder is named once everything is set up; then the first steps run.
        string? line;
        do
        {
            line = await program.StandardOutput.ReadLineAsync(stop);
        }
        while (line is not null && !line.StartsWith("run folder:", StringComparison.Ordinal));
        await Task.Delay(TimeSpan.FromSeconds(1), stop);
        Process.Start("kill", ["-INT", program.Id.ToString(CultureInfo.InvariantCulture)]).WaitForExit();
        var (code, rest, error) = await program.EndAsync(stop);

        code.Should().Be(130, "{0}{1}", rest, error);
        var run = Directory.GetDirectories(folder.Path).Single();
        rest.Should().Contain($"Stopped and saved. Go on with: train --resume \"{run}\"");
        var checkpoint = Checkpoint.Describe(Path.Combine(run, "last.ckpt"));
        checkpoint.State.StepInEpoch.Should().BeInRange(0, 499);
        checkpoint.State.History.Should().BeEmpty();
    }
}
