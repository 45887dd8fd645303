using System.Diagnostics;

namespace Capsules.Samples.Tests;

/// <summary>The program itself, downloading MNIST from mirrors on this machine: killed in the middle, and twice at once.</summary>
public sealed class DownloadKillTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Cache => _folder.PathOf("user", "Capsules", "mnist");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Download_KilledInTheMiddle_IsTakenForNothingAndDownloadedAnew()
    {
        var files = FilesOrSkip();
        var stop = TestContext.Current.CancellationToken;
        var halfway = new TaskCompletionSource();
        using (var stalling = new LocalMirrors(files, _folder, name =>
        {
            halfway.TrySetResult();
            return Task.Delay(Timeout.Infinite, stop);
        }))
        {
            using var killed = Start(stalling);
            await halfway.Task.WaitAsync(TimeSpan.FromMinutes(2), stop);
            var part = await PartAsync(stop);
            killed.Kill();      // SIGKILL
            await killed.WaitForExitAsync(stop);
            killed.ExitCode.Should().Be(128 + 9);
            Directory.GetFiles(Cache).Should().Equal([part], "nothing has the name of a file that is whole");
            new FileInfo(part).Length.Should().BeInRange(1, new FileInfo(files.PathOf(files.Set.Files[0])).Length / 2);
            DatasetFolder.Search(Mnist.Files, _folder.PathOf("user", "Capsules")).Missing.Should().HaveCount(4);
            File.SetLastWriteTimeUtc(part, DateTime.UtcNow.AddHours(-2));
        }

        var asked = new List<string>();
        using var mirrors = new LocalMirrors(files, _folder, name =>
        {
            lock (asked)
            {
                asked.Add(name);
            }

            return Task.CompletedTask;
        });
        using var next = Start(mirrors);
        await EndAsync(next, stop);
        asked.Should().Equal(files.Set.Files.Select(file => file.Published.Name), "each is asked for once, and from its beginning");
        CacheShouldBeWhole();
    }

    [Fact]
    public async Task Download_ByTwoProcessesAtOnce_GivesBothTheWholeFiles()
    {
        var files = FilesOrSkip();
        var stop = TestContext.Current.CancellationToken;
        var (asked, both) = (0, new TaskCompletionSource());
        using var mirrors = new LocalMirrors(files, _folder, name =>
        {
            // Both are within their first file, and only then either goes on.
            if (name == files.Set.Files[0].Published.Name && Interlocked.Increment(ref asked) == 2)
            {
                both.SetResult();
            }

            return both.Task;
        });
        using var first = Start(mirrors);
        using var second = Start(mirrors);
        await Task.WhenAll(EndAsync(first, stop), EndAsync(second, stop));
        asked.Should().BeGreaterThanOrEqualTo(2);
        CacheShouldBeWhole();
    }

    private void CacheShouldBeWhole()
    {
        Directory.GetFiles(Cache).Select(Path.GetFileName).Should().BeEquivalentTo(Mnist.Files.Files.Select(file => file.Published.Name));
        foreach (var file in Mnist.Files.Files)
        {
            IdxBytes.Read(Path.Combine(Cache, file.Published.Name)).Sha256.Should().Be(file.Published.Sha256);
        }
    }

    // The name of an unfinished file that has got something.
    private async Task<string> PartAsync(CancellationToken stop)
    {
        while (true)
        {
            if (Directory.GetFiles(Cache, "*.part").SingleOrDefault() is { } part && new FileInfo(part).Length > 0)
            {
                return part;
            }

            await Task.Delay(10, stop);
        }
    }

    private static DatasetFolder FilesOrSkip()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "A certificate for one program can be given on Linux alone.");
        var files = RealMnist.FolderOrSkip();
        Assert.SkipUnless(files.Set.Files.All(file => Path.GetFileName(files.PathOf(file)) == file.Published.Name), "Mirrors send the packed files.");
        return files;
    }

    private Process Start(LocalMirrors mirrors)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(CommandLine).Assembly.Location, "datasets", "mnist"]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in mirrors.Environment)
        {
            start.Environment[name] = value;
        }

        start.Environment[DataFolders.Variable] = null;
        start.Environment["XDG_DATA_HOME"] = _folder.PathOf("user");
        Directory.CreateDirectory(_folder.PathOf("user"));
        return Process.Start(start)!;
    }

    private static async Task EndAsync(Process program, CancellationToken stop)
    {
        var (output, error) = (program.StandardOutput.ReadToEndAsync(stop), program.StandardError.ReadToEndAsync(stop));
        await program.WaitForExitAsync(stop);
        program.ExitCode.Should().Be(0, "{0}{1}", await output, await error);
        (await output).Should().Contain("to train on: 60,000 stored images").And.NotContain("checksums differ");
    }
}
