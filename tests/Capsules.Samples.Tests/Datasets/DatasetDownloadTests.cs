using System.Diagnostics;

namespace Capsules.Samples.Tests;

public sealed class DatasetDownloadTests : IDisposable
{
    private static readonly byte[] Content = IdxBytes.Images(20);
    private static readonly byte[] Packed = IdxBytes.Gzip(Content);
    private static readonly PublishedFile File = new("train-images-idx3-ubyte.gz", Content.Length, IdxBytes.Sha256(Content), IsOfContent: true);
    private static readonly byte[] OtherContent = IdxBytes.Labels(1, 2, 3);
    private static readonly PublishedFile OtherFile = new("train-labels-idx1-ubyte.gz", OtherContent.Length, IdxBytes.Sha256(OtherContent), IsOfContent: true);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Download_MirrorServes_KeepsTheFilePacked()
    {
        using var mirrors = new FakeMirrors(_ => FakeMirrors.Send(Packed));

        await Fetch(mirrors);

        _folder.FileNames.Should().Equal("train-images-idx3-ubyte.gz");
        System.IO.File.ReadAllBytes(_folder.PathOf("train-images-idx3-ubyte.gz")).Should().Equal(Packed);
        mirrors.Requests.Should().Equal("https://one.test/train-images-idx3-ubyte.gz");
    }

    [Fact]
    public async Task Download_MissingFolder_IsMade()
    {
        using var mirrors = new FakeMirrors(_ => FakeMirrors.Send(Packed));
        using var download = new DatasetDownload(mirrors, FakeMirrors.Both);

        await download.FetchAsync(_folder.PathOf("a", "b"), [File], [], cancellation: TestContext.Current.CancellationToken);

        System.IO.File.Exists(_folder.PathOf("a", "b", "train-images-idx3-ubyte.gz")).Should().BeTrue();
    }

    // Some servers unpack on the way.
    [Fact]
    public async Task Download_MirrorUnpacks_KeepsTheFileUnderItsPlainName()
    {
        using var mirrors = new FakeMirrors(_ => FakeMirrors.Send(Content));

        await Fetch(mirrors);

        _folder.FileNames.Should().Equal("train-images-idx3-ubyte");
    }

    [Fact]
    public async Task Download_Progress_CountsUpToTheWholeFile()
    {
        using var mirrors = new FakeMirrors(_ => FakeMirrors.Send(Packed));
        var heard = new List<DownloadProgress>();

        await Fetch(mirrors, progress: heard.Add);

        heard.Select(progress => progress.Done).Should().BeInAscendingOrder();
        heard[^1].Should().Be(new DownloadProgress(File.Name, Packed.Length, Packed.Length));
    }

    [Fact]
    public async Task Download_WrongChecksum_GoesToTheNextMirrorAndStaysThere()
    {
        using var mirrors = new FakeMirrors(address => FakeMirrors.Send(
            address.Host == "one.test" ? IdxBytes.Gzip(IdxBytes.Images(20, first: 1))
            : address.AbsolutePath.Contains("labels", StringComparison.Ordinal) ? IdxBytes.Gzip(OtherContent) : Packed));
        using var download = new DatasetDownload(mirrors, FakeMirrors.Both);

        await download.FetchAsync(_folder.Path, [File, OtherFile], [], cancellation: TestContext.Current.CancellationToken);

        IdxBytes.Read(_folder.PathOf("train-images-idx3-ubyte.gz")).Sha256.Should().Be(File.Sha256);
        mirrors.Requests.Should().Equal(
            "https://one.test/train-images-idx3-ubyte.gz",
            "https://two.test/train-images-idx3-ubyte.gz",
            "https://two.test/train-labels-idx1-ubyte.gz");
        _folder.FileNames.Should().HaveCount(2);
    }

    [Fact]
    public async Task Download_AllMirrorsFail_SaysWhatEachDid()
    {
        using var mirrors = new FakeMirrors(address => address.Host == "one.test"
            ? FakeMirrors.Refuse()
            : throw new HttpRequestException("Name or service not known."));

        var message = await ErrorOfFetch(mirrors);

        message.Should().Be(
            "train-images-idx3-ubyte.gz: https://one.test/ answered 404 Not Found; https://two.test/ failed (Name or service not known)");
        _folder.FileNames.Should().BeEmpty();
    }

    [Fact]
    public async Task Download_FirstFileNotToBeHad_AsksForNoOther()
    {
        using var mirrors = new FakeMirrors(_ => FakeMirrors.Refuse());
        using var download = new DatasetDownload(mirrors, FakeMirrors.Both);

        var fetch = () => download.FetchAsync(_folder.Path, [File, OtherFile], [], cancellation: TestContext.Current.CancellationToken);

        await fetch.Should().ThrowAsync<DownloadException>();
        mirrors.Requests.Should().HaveCount(2);
    }

    [Fact]
    public async Task Download_LoginPageInsteadOfTheFile_IsNotKept()
    {
        using var mirrors = new FakeMirrors(_ => FakeMirrors.Send("<html>Please log in</html>"u8.ToArray()));

        var message = await ErrorOfFetch(mirrors);

        message.Should().StartWith(
            "train-images-idx3-ubyte.gz: https://one.test/ sent another file (26 bytes of SHA-256 39bb8635..., "
            + $"expected 15,696 of {File.Sha256[..8]}...); https://two.test/ sent ");
        _folder.FileNames.Should().BeEmpty();
    }

    [Fact]
    public async Task Download_PackedFileCutShort_IsNotKept()
    {
        using var mirrors = new FakeMirrors(_ => FakeMirrors.Send(Packed[..^20]));

        var message = await ErrorOfFetch(mirrors);

        message.Should().Contain("; https://two.test/ sent another file (14,979 bytes of ");
        _folder.FileNames.Should().BeEmpty();
    }

    [Fact]
    public async Task Download_DamagedPackedFile_IsNotKept()
    {
        var damaged = Packed.ToArray();
        damaged[^6] ^= 1; // the packed file's own checksum
        using var mirrors = new FakeMirrors(_ => FakeMirrors.Send(damaged));

        var message = await ErrorOfFetch(mirrors);

        message.Should().Contain("https://one.test/ sent damaged gzip data");
        _folder.FileNames.Should().BeEmpty();
    }

    // A megabyte of zeros packs into a few thousand bytes: only as much is unpacked as the file may have.
    [Fact]
    public async Task Download_PackedFileThatSwells_IsNotKept()
    {
        using var mirrors = new FakeMirrors(_ => FakeMirrors.Send(IdxBytes.Gzip(new byte[1_000_000])));

        var message = await ErrorOfFetch(mirrors);

        message.Should().Contain("https://one.test/ sent another file (more than 15,696 bytes of ");
        _folder.FileNames.Should().BeEmpty();
    }

    [Fact]
    public async Task Download_EndlessFile_IsStopped()
    {
        var received = 0L;
        using var mirrors = new FakeMirrors(_ => FakeMirrors.Send(new InterruptedStream(Packed, _ => Task.FromResult(4096))));

        var message = await ErrorOfFetch(mirrors, progress => received = Math.Max(received, progress.Done));

        message.Should().Contain("https://one.test/ sends more than the 15,696 bytes that the file has unpacked");
        received.Should().BeLessThan(20_000);
        _folder.FileNames.Should().BeEmpty();
    }

    [Fact]
    public async Task Download_ConnectionBreaksOff_LeavesNothingAndGoesOn()
    {
        using var mirrors = new FakeMirrors(address => FakeMirrors.Send(address.Host == "one.test"
            ? new InterruptedStream(Packed[..50], _ => throw new IOException("The response ended prematurely."))
            : new MemoryStream(Packed)));

        await Fetch(mirrors);

        _folder.FileNames.Should().Equal("train-images-idx3-ubyte.gz");
    }

    [Fact]
    public async Task Download_NoAnswer_IsGivenUpAfterTheTimeout()
    {
        using var mirrors = new FakeMirrors(async (_, cancellation) =>
        {
            await Task.Delay(Timeout.Infinite, cancellation);
            return FakeMirrors.Refuse();
        });
        var clock = Stopwatch.StartNew();

        var message = await ErrorOfFetch(mirrors, answer: 0.2);

        message.Should().Be(
            "train-images-idx3-ubyte.gz: https://one.test/ gave no answer within 0.2 s; https://two.test/ gave no answer within 0.2 s");
        clock.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Download_MirrorFallsSilent_IsGivenUpAfterTheTimeout()
    {
        using var mirrors = new FakeMirrors(_ => FakeMirrors.Send(new InterruptedStream(Packed[..50], async cancellation =>
        {
            await Task.Delay(Timeout.Infinite, cancellation);
            return 0;
        })));

        var message = await ErrorOfFetch(mirrors, silence: 0.3);

        message.Should().Contain("https://one.test/ sent nothing for 0.3 s; https://two.test/ sent nothing for 0.3 s");
        _folder.FileNames.Should().BeEmpty();
    }

    [Fact]
    public async Task Download_Cancelled_LeavesNothingAndAsksNoOtherMirror()
    {
        using var cancellation = new CancellationTokenSource();
        using var mirrors = new FakeMirrors(_ => FakeMirrors.Send(new InterruptedStream(Packed[..50], async stop =>
        {
            await cancellation.CancelAsync();
            stop.ThrowIfCancellationRequested();
            return 0;
        })));

        var fetch = () => Fetch(mirrors, cancellation: cancellation.Token);

        await fetch.Should().ThrowAsync<OperationCanceledException>();
        mirrors.Requests.Should().HaveCount(1);
        _folder.FileNames.Should().BeEmpty();
    }

    [Fact]
    public async Task Download_TwoAtOnce_DoNotDisturbEachOther()
    {
        using var mirrors = new FakeMirrors(async (_, cancellation) =>
        {
            await Task.Delay(20, cancellation);
            return FakeMirrors.Send(Packed);
        });

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => Fetch(mirrors))));

        _folder.FileNames.Should().Equal("train-images-idx3-ubyte.gz");
        IdxBytes.Read(_folder.PathOf("train-images-idx3-ubyte.gz")).Sha256.Should().Be(File.Sha256);
    }

    [Fact]
    public async Task Download_PartsOfAKilledProcess_AreDeletedAndOthersKept()
    {
        var abandoned = _folder.Write("t10k-images-idx3-ubyte.0123.part", [1]);
        System.IO.File.SetLastWriteTimeUtc(abandoned, DateTime.UtcNow.AddHours(-2));
        _folder.Write("t10k-images-idx3-ubyte.4567.part", [1]);
        using var mirrors = new FakeMirrors(_ => FakeMirrors.Send(Packed));

        await Fetch(mirrors);

        _folder.FileNames.Should().BeEquivalentTo("train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.4567.part");
    }

    [Fact]
    public async Task Download_FolderIsAFile_SaysThatItCannotBeWritten()
    {
        var path = _folder.Write("file", [1]);
        using var mirrors = new FakeMirrors(_ => FakeMirrors.Send(Packed));
        using var download = new DatasetDownload(mirrors, FakeMirrors.Both);

        var fetch = () => download.FetchAsync(path, [File], [], cancellation: TestContext.Current.CancellationToken);

        (await fetch.Should().ThrowAsync<DownloadException>()).Which.Message.Should().StartWith($"{path} cannot be written (");
        mirrors.Requests.Should().BeEmpty();
    }

    // Others' files are known by the packed file's checksum alone.
    [Fact]
    public async Task Download_ChecksumOfThePackedFile_TakesThatPackedFileOnly()
    {
        var file = new PublishedFile("archive.zip", Packed.Length, IdxBytes.Sha256(Packed));
        using var mirrors = new FakeMirrors(address => FakeMirrors.Send(address.Host == "one.test" ? Content : Packed));
        using var download = new DatasetDownload(mirrors);

        await download.FetchAsync(_folder.Path, [file], FakeMirrors.Both, cancellation: TestContext.Current.CancellationToken);

        _folder.FileNames.Should().Equal("archive.zip");
        System.IO.File.ReadAllBytes(_folder.PathOf("archive.zip")).Should().Equal(Packed);
        mirrors.Requests.Should().Equal("https://one.test/archive.zip", "https://two.test/archive.zip");
    }

    // Patient unless a test is about impatience, so that a busy machine fails no test.
    private async Task Fetch(
        FakeMirrors mirrors, Action<DownloadProgress>? progress = null, double answer = 60, double silence = 60, CancellationToken? cancellation = null)
    {
        using var download = new DatasetDownload(
            mirrors, FakeMirrors.Both, answerTimeout: TimeSpan.FromSeconds(answer), silenceTimeout: TimeSpan.FromSeconds(silence));
        await download.FetchAsync(_folder.Path, [File], [], progress, cancellation ?? TestContext.Current.CancellationToken);
    }

    private async Task<string> ErrorOfFetch(
        FakeMirrors mirrors, Action<DownloadProgress>? progress = null, double answer = 60, double silence = 60)
    {
        var fetch = () => Fetch(mirrors, progress, answer, silence);
        return (await fetch.Should().ThrowAsync<DownloadException>()).Which.Message;
    }
}
