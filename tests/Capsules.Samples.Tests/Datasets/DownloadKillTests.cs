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
        using (var endless = new LocalMirrors(files, _folder, _ => Task.Delay(Timeout.Infinite, stop)))
        {
            using var killed = Start(endless);
            var end = killed.EndAsync(stop);
            var part = await GrowingPartAsync(end, stop).WaitAsync(TimeSpan.FromMinutes(2), stop);
            killed.Kill();      // SIGKILL
            var (code, output, error) = await end;
            code.Should().Be(128 + 9, "it ended by the kill: {0}{1}", output, error);
            Directory.GetFiles(Cache).Should().Equal([part], "the download that was under way was cut off, and nothing has the name of a file that is whole");
            new FileInfo(part).Length.Should().BeInRange(1, new FileInfo(files.PathOf(files.Set.Files[0])).Length - 1);
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
        await EndWellAsync(next, stop);
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
        await Task.WhenAll(EndWellAsync(first, stop), EndWellAsync(second, stop));
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

    // The name of an unfinished file that was seen to grow: what is being downloaded at this moment.
    private async Task<string> GrowingPartAsync(Task<SampleProgram.Ended> end, CancellationToken stop)
    {
        for (var before = 0L; ;)
        {
            var part = Directory.Exists(Cache) ? Directory.GetFiles(Cache, "*.part").SingleOrDefault() : null;
            var length = part is null ? 0 : new FileInfo(part).Length;
            if (before > 0 && length > before)
            {
                return part!;
            }

            before = length;
            if (await Task.WhenAny(end, Task.Delay(10, stop)) == end)
            {
                Assert.Fail($"the program ended before it was killed: {(await end).Text}");
            }
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
        Directory.CreateDirectory(_folder.PathOf("user"));
        return SampleProgram.Start(["datasets", "mnist"], new Dictionary<string, string?>(mirrors.Environment)
        {
            [DataFolders.Variable] = null, ["XDG_DATA_HOME"] = _folder.PathOf("user"),
        });
    }

    private static async Task EndWellAsync(Process program, CancellationToken stop)
    {
        var (code, output, error) = await program.EndAsync(stop);
        code.Should().Be(0, "{0}{1}", output, error);
        output.Should().Contain("to train on: 60,000 stored images").And.NotContain("checksums differ");
    }
}
