using System.Security.Cryptography;

namespace Capsules.Samples;

/// <summary>What a folder holds of a dataset's files.</summary>
internal sealed class DatasetFolder
{
    private readonly Dictionary<string, string> _paths = [];

    private DatasetFolder(FileSet set, string folder, bool isCache)
    {
        (Set, Folder, IsCache) = (set, folder, isCache);
        foreach (var file in set.Files)
        {
            var names = file.IsInArchive ? file.Spellings.Append(file.Published.Name) : file.Spellings;
            var path = names.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
            if (path is not null)
            {
                _paths[file.Name] = path;
            }
        }
    }

    /// <summary>The files that were looked for.</summary>
    public FileSet Set { get; }

    public string Folder { get; }

    /// <summary>Whether downloads go to the folder, so that a bad file is mended by deleting it.</summary>
    public bool IsCache { get; }

    public bool IsComplete => _paths.Count == Set.Files.Count;

    /// <summary>The files that are not there.</summary>
    public IEnumerable<DatasetFile> Missing => Set.Files.Where(file => !_paths.ContainsKey(file.Name));

    /// <summary>Looks into the folder within a folder that is named after the files, into the folder itself, and into what their
    /// archive unpacks to in either; the first that holds the most files counts, so that files of the same names that belong to another
    /// dataset are not taken for these.</summary>
    public static DatasetFolder Search(FileSet set, string folder, bool isCache = false)
    {
        string[] places = [Path.Combine(folder, set.Folder), folder];
        var found = places.Concat(set.Unpacked is { } unpacked ? places.Select(place => Path.Combine(place, unpacked)) : [])
            .Select(place => new DatasetFolder(set, place, isCache)).MaxBy(found => found._paths.Count)!;
        return found._paths.Count > 0 ? found : new DatasetFolder(set, folder, isCache);
    }

    /// <summary>The path of a file that is there, or of the archive that holds it.</summary>
    public string PathOf(DatasetFile file) => _paths[file.Name];

    /// <summary>Reads a file's unpacked content.</summary>
    /// <exception cref="UserException">The file is unreadable, damaged, or not what <paramref name="read"/> expects.</exception>
    public T Read<T>(DatasetFile file, Func<DataStream, T> read)
    {
        try
        {
            using var stream = DataStream.Open(PathOf(file), file.Name);
            return stream.Guard(() => read(stream));
        }
        catch (InvalidDataException cause)
        {
            throw Bad(file, cause.Message, cause);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw new UserException(
                $"{PathOf(file)} cannot be read ({cause.Message.TrimEnd('.')}). Check its permissions, or name another folder with " +
                "--data.", cause);
        }
    }

    /// <summary>The error that says what is wrong with a file and how to mend it.</summary>
    public UserException Bad(DatasetFile file, string problem, Exception? cause = null) => new(
        IsCache
            ? $"{problem} Delete the file and run again to download it anew."
            : $"{problem} Replace it with a fresh copy, for example from {new Uri(Set.Mirrors[0], file.Published.Name)}.",
        cause);

    /// <summary>Whether all files are the published ones; where they are not, or where that cannot be told, a notice says so.</summary>
    /// <param name="notice">Receives it.</param>
    /// <param name="contentSha256">The checksum of a file's unpacked content, for files that are known by it.</param>
    public bool CheckOriginal(Action<string> notice, Func<DatasetFile, string>? contentSha256 = null)
    {
        var (known, original) = (true, true);
        var hashes = new Dictionary<string, string>();
        foreach (var file in Set.Files)
        {
            var path = PathOf(file);
            if (file.Published.IsOfContent)
            {
                original &= contentSha256!(file) == file.Published.Sha256;
            }
            else if (Path.GetFileName(path) == file.Published.Name)
            {
                if (!hashes.TryGetValue(path, out var hash))      // of an archive once
                {
                    hashes[path] = hash = Sha256Of(path);
                }

                original &= hash == file.Published.Sha256;
            }
            else
            {
                known = false;
            }
        }

        if (!original)
        {
            notice(
                $"The files in {Folder} are well-formed but not the original {Set.Title} (checksums differ): they are used as they are.");
        }
        else if (!known)
        {
            notice($"The files in {Folder} are well-formed; whether they are the original {Set.Title} cannot be told, " +
                $"since checksums are known only of {string.Join(" and ", Set.Published.Select(file => file.Name))}: they are used as " +
                "they are.");
        }

        return original && known;
    }

    private static string Sha256Of(string path)
    {
        using var stream = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }
}
