using TorchSharp;
using static Capsules.Samples.Tests.Training.SmallRuns;

namespace Capsules.Samples.Tests.Training;

/// <summary>Disks that are full or forbidden, paths that are long or in other alphabets, links, and clocks that jump: nothing is lost, and the message says what to do.</summary>
public sealed class FaultyDiskTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // No file may grow beyond so many blocks of 1024 bytes: as on a full disk, the write fails in the middle.
    [Fact]
    public async Task Train_DiskFullInTheMiddleOfAWrite_SaysSoAndKeepsWhatWasThere()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no limit on the size of files.");
        var data = SmallDigits.WriteMnist(_folder);
        var output = _folder.PathOf("runs");
        string[] training =
        [
            "train", "--dataset", "mnist", "--data", data, "--model", "efficient", "--reconstruction-weight", "0", "--images", "24", "--batch-size", "8", "--threads", "1",
            "--output", output, "--epochs",
        ];
        (await Limited(null, [.. training, "1"])).Code.Should().Be(0);
        var run = Directory.GetDirectories(output).Single();
        var before = Checkpoints(run);

        foreach (var blocks in (int[])[1, 20, 400, 1500])
        {
            var (code, _, error) = await Limited(blocks, ["train", "--resume", run, "--data", data, "--epochs", "2", "--threads", "1"]);
            code.Should().Be(1, "{0} blocks: {1}", blocks, error);
            error.Should().Contain(" cannot be written: ").And.NotContain("   at ").And.NotContain("Unexpected failure");
            error.Trim().Should().NotContain("\n");
            Checkpoints(run).Should().BeEquivalentTo(before, "the checkpoints of before stay as they are");
            Directory.GetFiles(run, "*.tmp").Should().BeEmpty();
        }

        // With room again it goes on, to its end.
        (await Limited(null, ["train", "--resume", run, "--data", data, "--epochs", "2", "--threads", "1"])).Code.Should().Be(0);
        Checkpoint.Describe(Path.Combine(run, "last.ckpt")).State.History.Should().HaveCount(2);
    }

    [Fact]
    public void RunFolder_WhereNothingMayBeWritten_SaysSo()
    {
        Assert.SkipWhen(Environment.IsPrivilegedProcess, "To whom everything is allowed nothing is forbidden.");
        if (OperatingSystem.IsWindows())
        {
            return;      // which has other rights
        }

        var place = Directory.CreateDirectory(_folder.PathOf("locked"), UnixFileMode.UserRead | UnixFileMode.UserExecute).FullName;
        Failure(() => RunFolder.Create(place, "a")).Should().Contain("cannot be made").And.Contain("Give another folder with --output.");
    }

    [Fact]
    public void RunFolder_InPlaceOfAFile_SaysSo()
    {
        var file = _folder.Write("file", [1]);
        Failure(() => RunFolder.Create(file, "a")).Should().StartWith("The run folder cannot be made in ").And.EndWith("Give another folder with --output.");
        File.ReadAllBytes(file).Should().Equal(1);
    }

    [Fact]
    public void RunFolder_NameLongerThanAFileSystemTakes_SaysSo() =>
        Failure(() => RunFolder.Create(_folder.Path, new string('a', 400))).Should().StartWith("The run folder cannot be made in ");

    [Theory]
    [InlineData("Läufe mit Leerzeichen")]
    [InlineData("実験-🧪")]
    [InlineData("'quotes' & $dollars; [brackets]")]
    [InlineData("deep")]
    public void Run_InAnyFolder_IsTrainedAndReadBack(string name)
    {
        // Deep enough that the path has more than 1,000 letters.
        var place = name == "deep" ? Path.Combine([_folder.Path, .. Enumerable.Repeat(new string('d', 100), 10)]) : _folder.PathOf(name);
        Assert.SkipWhen(name == "deep" && OperatingSystem.IsWindows(), "Windows must be told to take long paths.");
        using var dataset = Small();
        var folder = RunFolder.Create(place, dataset.Name);
        using var trainer = Trainer.Start(Tiny with { Epochs = 1 }, dataset, torch.CPU, folder, Silent);
        using var events = new RunEvents(folder.FullPath);
        trainer.Events = events;
        trainer.Run(TestContext.Current.CancellationToken);
        var (checkpoint, network) = Checkpoint.Load(RunFolder.BestIn(folder.FullPath), torch.CPU);
        using (network)
        {
            checkpoint.State.History.Should().HaveCount(1);
        }

        NetworkFile.Save(folder.FullPath, Path.Combine(place, "network.safetensors"));
        NetworkFile.Load(Path.Combine(place, "network.safetensors"), torch.CPU).Network.Dispose();
    }

    // Whoever puts a link there decides what it points to, and a run must not write over that.
    [Fact]
    public void Write_OverALinkToAnotherFile_ReplacesTheLinkAndNotTheFile()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links are for administrators there.");
        var victim = _folder.Write("elsewhere", [1, 2, 3]);
        var link = _folder.PathOf("result.json");
        File.CreateSymbolicLink(link, victim);
        AtomicFile.WriteText(link, "new");
        File.ReadAllBytes(victim).Should().Equal(1, 2, 3);
        File.ReadAllText(link).Should().Be("new");
        new FileInfo(link).LinkTarget.Should().BeNull();
    }

    // A clock that was wrong and is set right leaves files behind that are newer than now.
    [Fact]
    public void Run_WithFilesOfTheFuture_GoesOnAsAnyOther()
    {
        using var dataset = Small();
        using var whole = Train(_folder, dataset, Tiny);
        var folder = RunFolder.Create(_folder.Path, "future");
        using (var first = Trainer.Start(Tiny with { Epochs = 1 }, dataset, torch.CPU, folder, Silent))
        using (var events = new RunEvents(folder.FullPath))
        {
            first.Events = events;
            first.Run(TestContext.Current.CancellationToken);
        }

        var file = EventFile.Find(folder.FullPath)!;
        File.Move(file, Path.Combine(folder.FullPath, "events.out.tfevents.9999999999.x"));
        foreach (var path in Directory.GetFiles(folder.FullPath))
        {
            File.SetLastWriteTimeUtc(path, new DateTime(2100, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        }

        using var resumed = Trainer.Resume(folder, new RunEnd(2), dataset, torch.CPU, Silent);
        using var again = new RunEvents(folder.FullPath);
        resumed.Events = again;
        resumed.Run(TestContext.Current.CancellationToken);
        Weights(resumed).Should().Equal(Weights(whole));
        again.StepLosses.Should().HaveCount(4);
        Directory.GetFiles(folder.FullPath, "events.out.tfevents.*").Should().ContainSingle();
    }

    [Fact]
    public async Task Train_TwoProcessesOnOneRun_OneIsToldToWait()
    {
        using var dataset = Small();
        using var trainer = Train(_folder, dataset, Tiny);
        var run = Directory.GetDirectories(_folder.Path).Single();
        using (RunFolder.Open(run).Hold())
        {
            var (code, _, error) = await Limited(null, ["train", "--resume", run, "--epochs", "3"]);
            code.Should().Be(1);
            error.Should().StartWith($"{run} is in use by another process (");
        }
    }

    private static Dictionary<string, string> Checkpoints(string run) =>
        Directory.GetFiles(run, "*.ckpt").ToDictionary(path => path, path => IdxBytes.Sha256(File.ReadAllBytes(path)));

    private static string Failure(Action act) => act.Should().Throw<UserException>().Which.Message;

    // The signal that goes with the limit is ignored, so that the write itself fails. Double mapping would need a large file in memory.
    private static Task<SampleProgram.Ended> Limited(int? blocks, string[] arguments) => SampleProgram.RunAsync(
        arguments,
        new Dictionary<string, string?> { ["DOTNET_EnableWriteXorExecute"] = "0", ["DOTNET_EnableDiagnostics"] = "0" },
        blocks is { } most ? $"trap '' XFSZ; ulimit -f {most}" : null);
}
