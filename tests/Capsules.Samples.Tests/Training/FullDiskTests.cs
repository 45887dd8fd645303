using System.Diagnostics;
using System.Globalization;
using TorchSharp;

namespace Capsules.Samples.Tests.Training;

/// <summary>A file system that is full: a small one in memory, which only root may mount.</summary>
public sealed class FullDiskTests : IDisposable
{
    private const int Megabytes = 16;

    private readonly TemporaryFolder _folder = new();
    private bool _isMounted;

    private string Disk => _folder.PathOf("disk");

    private string Filler => Path.Combine(Disk, "filler");

    public void Dispose()
    {
        if (_isMounted)
        {
            Run("umount", Disk).Code.Should().Be(0);
        }

        _folder.Dispose();
    }

    [Fact]
    public async Task TrainAndExport_FileSystemFull_SaySoAndKeepWhatWasThere()
    {
        MountOrSkip();
        var data = SmallDigits.WriteMnist(_folder);
        string[] training =
        [
            "train", "--dataset", "mnist", "--data", data, "--model", "efficient", "--reconstruction-weight", "0", "--images", "24", "--batch-size", "8", "--threads", "1",
            "--epochs", "1", "--output", Path.Combine(Disk, "runs"),
        ];
        (await SampleProgram.RunAsync(training)).Code.Should().Be(0);
        var run = Directory.GetDirectories(Path.Combine(Disk, "runs")).Single();
        var exported = Path.Combine(Disk, "network.safetensors");
        string[] export = ["export", run, "--format", "safetensors", "--output", exported];
        (await SampleProgram.RunAsync(export)).Code.Should().Be(0);
        var before = Kept();

        // Not a byte free; and room for the beginning of a checkpoint, which has two megabytes, or of an export, which has a third of it.
        string[] resume = ["train", "--resume", run, "--data", data, "--epochs", "2", "--threads", "1"];
        foreach (var (free, command) in ((int, string[])[])[(0, resume), (400_000, resume), (0, training), (200_000, export), (200_000, [.. export[..2], "--output", Path.Combine(Disk, "network.onnx")])])
        {
            Fill(free);
            var (code, _, error) = await SampleProgram.RunAsync(command);
            code.Should().Be(1, "{0} bytes free, {1}: {2}", free, command[0], error);
            error.Should().MatchRegex("cannot be (written|made)").And.Contain("No space left").And.NotContain("   at ").And.NotContain("Unexpected failure");
            error.Trim().Should().NotContain("\n");
            Kept().Should().BeEquivalentTo(before, "{0} bytes free, {1}", free, command[0]);
            Directory.GetFiles(Disk, "*.tmp", SearchOption.AllDirectories).Should().BeEmpty();
            Checkpoint.Load(Path.Combine(run, "last.ckpt"), torch.CPU).Network.Dispose();
            NetworkFile.Load(exported, torch.CPU).Network.Dispose();
        }

        // With room again it goes on, to its end.
        File.Delete(Filler);
        (await SampleProgram.RunAsync(resume)).Code.Should().Be(0);
        Checkpoint.Describe(Path.Combine(run, "last.ckpt")).State.History.Should().HaveCount(2);
        (await SampleProgram.RunAsync(export)).Code.Should().Be(0);

        Dictionary<string, string> Kept() => ((string[])[.. Directory.GetFiles(run, "*.ckpt"), exported]).ToDictionary(path => path, path => IdxBytes.Sha256(File.ReadAllBytes(path)));
    }

    private void MountOrSkip()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "Only root mounts a file system, and this one is Linux's.");
        Directory.CreateDirectory(Disk);
        var (code, error) = Run("mount", "-t", "tmpfs", "-o", string.Create(CultureInfo.InvariantCulture, $"size={Megabytes}m"), "none", Disk);
        Assert.SkipUnless(code == 0, $"No file system can be mounted here: {error.Trim()}");
        _isMounted = true;
    }

    private void Fill(int free)
    {
        File.Delete(Filler);
        var space = new DriveInfo(Disk).AvailableFreeSpace;
        space.Should().BeInRange(free, Megabytes << 20, "it is the small file system's");
        using var filler = new FileStream(Filler, FileMode.CreateNew);
        filler.Write(new byte[space - free]);
    }

    private static (int Code, string Error) Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, error);
    }
}
