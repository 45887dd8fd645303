using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;

namespace Capsules.Samples;

/// <summary>Downloads datasets from public mirrors, and lets nothing into their folder that is not the original, whole.</summary>
/// <remarks>
/// A file is received under a name of its own beside its place, checked, and only then renamed, in one step: an interrupted download
/// leaves nothing that looks like data, and two processes that download at once do not disturb each other.
/// </remarks>
internal sealed class DatasetDownload : IDisposable
{
    private const string PartSuffix = ".part";
    private readonly HttpClient _client;
    private readonly IReadOnlyList<Uri>? _mirrors;
    private readonly TimeSpan _answerTimeout;
    private readonly TimeSpan _silenceTimeout;

    /// <param name="handler">What sends the requests; null for the real network.</param>
    /// <param name="mirrors">Folders to fetch from instead of the files' own mirrors, the preferred one first.</param>
    /// <param name="answerTimeout">How long a mirror may take to connect and answer; 5 s by default, so that being offline is
    /// noticed after 10 s at the latest.</param>
    /// <param name="silenceTimeout">How long a mirror may pause within a file; 15 s by default.</param>
    public DatasetDownload(
        HttpMessageHandler? handler = null,
        IReadOnlyList<Uri>? mirrors = null,
        TimeSpan? answerTimeout = null,
        TimeSpan? silenceTimeout = null)
    {
        _mirrors = mirrors;
        _answerTimeout = answerTimeout ?? TimeSpan.FromSeconds(5);
        _silenceTimeout = silenceTimeout ?? TimeSpan.FromSeconds(15);
        _client = new HttpClient(handler ?? new SocketsHttpHandler { ConnectTimeout = _answerTimeout }) { Timeout = Timeout.InfiniteTimeSpan };
        _client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("Capsules.Samples", null));
    }

    /// <summary>Brings files into a folder, which is made if need be.</summary>
    /// <param name="folder">Where they go, packed as they come.</param>
    /// <param name="files">Which files.</param>
    /// <param name="mirrors">Folders of the network that hold them, the preferred one first.</param>
    /// <param name="progress">Hears of every piece received.</param>
    /// <exception cref="DownloadException">A file could be had from no mirror, or the folder cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; files that were complete stay.</exception>
    public async Task FetchAsync(
        string folder, IEnumerable<PublishedFile> files, IReadOnlyList<Uri> mirrors,
        Action<DownloadProgress>? progress = null, CancellationToken cancellation = default)
    {
        try
        {
            Directory.CreateDirectory(folder);
            DeleteAbandonedParts(folder);
            var preferred = 0;
            foreach (var file in files)
            {
                preferred = await FetchFromAnyMirrorAsync(folder, file, _mirrors ?? mirrors, preferred, progress, cancellation);
            }
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw new DownloadException($"{folder} cannot be written ({cause.Message.TrimEnd('.')})", cause);
        }
    }

    public void Dispose() => _client.Dispose();

    // Tries each mirror once, beginning with the one that served last. Returns the one that served.
    private async Task<int> FetchFromAnyMirrorAsync(
        string folder, PublishedFile file, IReadOnlyList<Uri> mirrors, int preferred, Action<DownloadProgress>? progress, CancellationToken cancellation)
    {
        var failures = new List<string>();
        for (var attempt = 0; attempt < mirrors.Count; attempt++)
        {
            var mirror = (preferred + attempt) % mirrors.Count;
            try
            {
                await FetchFromAsync(new Uri(mirrors[mirror], file.Name), folder, file, progress, cancellation);
                return mirror;
            }
            catch (MirrorException failure)
            {
                failures.Add($"{mirrors[mirror]} {failure.Message}");
            }
        }

        throw new DownloadException($"{file.Name}: {string.Join("; ", failures)}");
    }

    private async Task FetchFromAsync(
        Uri address, string folder, PublishedFile file, Action<DownloadProgress>? progress, CancellationToken cancellation)
    {
        var part = Path.Combine(folder, $"{file.Name}.{Guid.NewGuid():N}{PartSuffix}");
        try
        {
            await ReceiveAsync(address, part, file, progress, cancellation);
            var isPacked = Verify(part, file);
            var target = Path.Combine(folder, isPacked || !file.IsOfContent ? file.Name : Path.GetFileNameWithoutExtension(file.Name));
            try
            {
                File.Move(part, target, overwrite: true);
            }
            catch (Exception cause) when (cause is IOException or UnauthorizedAccessException && File.Exists(target))
            {
                // Windows: another process has brought the same verified file here and is reading it.
            }
        }
        finally
        {
            TryDelete(part);
        }
    }

    private async Task ReceiveAsync(
        Uri address, string part, PublishedFile file, Action<DownloadProgress>? progress, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(_answerTimeout);
        using var response = await FromMirror(
            () => _client.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, patience.Token),
            $"gave no answer within {Seconds(_answerTimeout)} s");
        if (!response.IsSuccessStatusCode)
        {
            throw new MirrorException($"answered {(int)response.StatusCode} {response.ReasonPhrase}".TrimEnd());
        }

        var silence = $"sent nothing for {Seconds(_silenceTimeout)} s";
        await using var source = await FromMirror(() => response.Content.ReadAsStreamAsync(patience.Token), silence);
        await using var target = new FileStream(part, FileMode.CreateNew, FileAccess.Write);
        var total = response.Content.Headers.ContentLength;
        var buffer = new byte[1 << 16];
        var done = 0L;
        while (true)
        {
            patience.CancelAfter(_silenceTimeout);
            var got = await FromMirror(() => source.ReadAsync(buffer, patience.Token).AsTask(), silence);
            if (got == 0)
            {
                break;
            }

            done += got;
            if (done > file.Length + 1024)
            {
                throw new MirrorException($"sends more than the {file.Length:N0} bytes that the file has{(file.IsOfContent ? " unpacked" : "")}");
            }

            await target.WriteAsync(buffer.AsMemory(0, got), cancellation);
            progress?.Invoke(new DownloadProgress(file.Name, done, total));
        }

        target.Flush(flushToDisk: true);

        // What fails between here and the mirror is the mirror's failure; what fails at the local file is not.
        async Task<T> FromMirror<T>(Func<Task<T>> action, string lateness)
        {
            try
            {
                return await action();
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                throw new MirrorException(lateness);
            }
            catch (Exception cause) when (cause is HttpRequestException or IOException)
            {
                throw new MirrorException($"failed ({cause.GetBaseException().Message.TrimEnd('.')})");
            }
        }
    }

    // Whether the received file is packed; it is refused unless its bytes, or unpacked ones, are the original's.
    private static bool Verify(string part, PublishedFile file)
    {
        var isPacked = false;
        using var stream = file.IsOfContent ? MaybeGzip.OpenRead(part, out isPacked, out _) : File.OpenRead(part);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 16];
        var length = 0L;
        try
        {
            for (int got; (got = stream.Read(buffer)) > 0 && length <= file.Length; length += got)
            {
                hash.AppendData(buffer, 0, got);
            }
        }
        catch (InvalidDataException)
        {
            throw new MirrorException("sent damaged gzip data");
        }

        var sha256 = Convert.ToHexStringLower(hash.GetHashAndReset());
        return sha256 == file.Sha256
            ? isPacked
            : throw new MirrorException(
                $"sent another file ({(length > file.Length ? "more than " : "")}{Math.Min(length, file.Length):N0} bytes of SHA-256 {sha256[..8]}..., "
                + $"expected {file.Length:N0} of {file.Sha256[..8]}...)");
    }

    // A process that was killed could not tidy up. A download under way writes far more often than every hour.
    private static void DeleteAbandonedParts(string folder)
    {
        foreach (var part in Directory.EnumerateFiles(folder, "*" + PartSuffix))
        {
            if (File.GetLastWriteTimeUtc(part) < DateTime.UtcNow.AddHours(-1))
            {
                TryDelete(part);
            }
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            // Untidy, but no reason to fail: the name ends in .part and nothing reads it.
        }
    }

    private static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("0.#", CultureInfo.InvariantCulture);

    /// <summary>One mirror failed; the message continues a sentence that begins with its address.</summary>
    private sealed class MirrorException(string message) : Exception(message);
}
