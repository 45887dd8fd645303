using System.Formats.Tar;
using System.IO.Compression;

namespace Capsules.Samples;

/// <summary>
/// The unpacked content of a data file: a plain or gzipped file, or an entry of a zip or tar archive that bears the file's name, itself
/// gzipped perhaps. Archives are read where they lie; no path that stands in one is ever written to.
/// </summary>
internal sealed class DataStream : IDisposable
{
    /// <summary>Deflate cannot pack more tightly than this, so a header that promises more is wrong.</summary>
    public const long MaxRatio = 1032;

    private const long MaxBytes = 1L << 30;
    private readonly Stack<IDisposable> _owned = new();

    private DataStream(string path)
    {
        Source = Own(MaybeGzip.OpenRead(path, out var isPacked, out var stored));
        (Name, IsPacked, Possible) = (path, isPacked, isPacked ? Unpacked(stored) : stored);
    }

    /// <summary>What messages call the content: the path of its file, and of an archive its entry too.</summary>
    public string Name { get; private set; }

    /// <summary>The bytes.</summary>
    public Stream Source { get; private set; }

    /// <summary>Whether the bytes are unpacked on the way, so that their number is not known beforehand.</summary>
    public bool IsPacked { get; private set; }

    /// <summary>How many bytes there can be at most: no more need ever be allocated.</summary>
    public long Possible { get; private set; }

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file, or the archive that holds it.</param>
    /// <param name="name">What the file is called in an archive; directories in front of it do not matter.</param>
    /// <exception cref="InvalidDataException">The archive is damaged or does not hold the file.</exception>
    public static DataStream Open(string path, string name)
    {
        var stream = new DataStream(path);
        try
        {
            stream.Guard(() =>
            {
                if (path.EndsWith(".tar.gz", StringComparison.OrdinalIgnoreCase))
                {
                    stream.EnterTar(path, name);
                }
                else if (path.EndsWith(".zip", StringComparison.OrdinalIgnoreCase))
                {
                    stream.EnterZip(path, name);
                }

                return 0;
            });
            return stream;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    private bool IsZip => Name.Contains(".zip", StringComparison.OrdinalIgnoreCase);

    /// <summary>Runs a reader, and words what the unpackers below it throw.</summary>
    public T Guard<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (InvalidDataException cause) when (!cause.Message.StartsWith(Name, StringComparison.Ordinal))
        {
            throw new InvalidDataException(
                $"{Name} cannot be unpacked: its {(IsZip ? "zip" : IsPacked ? "gzip" : "packed")} data is damaged or cut short.", cause);
        }
        catch (EndOfStreamException cause)
        {
            throw new InvalidDataException($"{Name} is cut short.", cause);
        }
        catch (Exception cause) when (cause is OverflowException or FormatException or ArgumentException)
        {
            throw new InvalidDataException($"{Name} cannot be unpacked: the headers of its archive are damaged.", cause);      // of a tar, in the main
        }
    }

    /// <summary>Reads exactly so many bytes.</summary>
    /// <param name="count">How many; refused before anything is allocated where the file cannot hold as many.</param>
    /// <param name="what">What they are, for the message.</param>
    public byte[] Take(long count, string what)
    {
        if (count > MaxBytes)
        {
            var claimed = count == long.MaxValue ? "too many" : $"{count:N0}";      // the reader's word for a number that no long holds
            throw new InvalidDataException($"{Name} claims to hold {claimed} bytes of {what}, but at most {MaxBytes:N0} are expected.");
        }

        if (count > Possible)
        {
            throw new InvalidDataException(
                $"{Name} is cut short: it promises {count:N0} bytes of {what}, but can hold no more than {Possible:N0}.");
        }

        var bytes = new byte[count];
        Fill(bytes, what);
        return bytes;
    }

    /// <summary>Reads all there is.</summary>
    /// <param name="most">More than so many bytes are refused.</param>
    /// <param name="what">What they are, for the message.</param>
    public byte[] TakeAll(long most, string what)
    {
        using var all = new MemoryStream();
        var buffer = new byte[1 << 16];
        for (int got; (got = Source.Read(buffer)) > 0;)
        {
            all.Write(buffer, 0, got);
            if (all.Length > most)
            {
                throw new InvalidDataException($"{Name} holds more than {most:N0} bytes of {what}, which is more than expected.");
            }
        }

        return all.ToArray();
    }

    /// <summary>Reads exactly as many bytes as there is room for.</summary>
    public void Fill(Span<byte> bytes, string what)
    {
        var got = Source.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        if (got < bytes.Length)
        {
            throw new InvalidDataException(
                $"{Name} is cut short: expected were {bytes.Length:N0} bytes of {what}, but it ends after {got:N0}.");
        }
    }

    /// <summary>Throws unless the content ends here.</summary>
    public void ExpectEnd(string what)
    {
        if (Source.ReadByte() >= 0)
        {
            throw new InvalidDataException($"{Name} goes on after {what}.");
        }
    }

    public void Dispose()
    {
        while (_owned.TryPop(out var owned))
        {
            owned.Dispose();
        }
    }

    private void EnterZip(string path, string name)
    {
        if (IsPacked)
        {
            throw new InvalidDataException($"{path} is packed with gzip and no zip archive.");
        }

        var zip = Own(new ZipArchive(Source, ZipArchiveMode.Read));
        var entry = zip.Entries.FirstOrDefault(entry => IsNamed(entry.Name, name))
            ?? throw new InvalidDataException($"{path} holds no {name} (plain or .gz).");
        Possible = Math.Min(entry.Length, Unpacked(entry.CompressedLength));
        Enter($"{path} ({entry.FullName})", entry.Open());
    }

    private void EnterTar(string path, string name)
    {
        var tar = Own(new TarReader(Source));
        while (tar.GetNextEntry() is { } entry)
        {
            if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile && IsNamed(Path.GetFileName(entry.Name), name))
            {
                Possible = Math.Min(entry.Length, Possible);
                Enter($"{path} ({entry.Name})", entry.DataStream ?? Stream.Null);
                return;
            }
        }

        throw new InvalidDataException($"{path} holds no {name} (plain or .gz).");
    }

    private void Enter(string name, Stream content)
    {
        (Name, Source, IsPacked) = (name, Own(content), true);
        if (name.EndsWith(".gz)", StringComparison.Ordinal))
        {
            Source = Own(new GZipStream(Source, CompressionMode.Decompress));
            Possible = Unpacked(Possible);
        }
    }

    private static long Unpacked(long packed) => Math.Min(packed, long.MaxValue / MaxRatio) * MaxRatio;

    private static bool IsNamed(string entry, string name) => entry == name || entry == name + ".gz";

    private T Own<T>(T disposable) where T : IDisposable
    {
        _owned.Push(disposable);
        return disposable;
    }
}
