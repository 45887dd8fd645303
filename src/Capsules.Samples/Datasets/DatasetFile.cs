namespace Capsules.Samples;

/// <summary>A file as its publishers offer it for download: a file of a dataset, packed or not, or an archive of several.</summary>
/// <param name="Name">Its name, with its ending.</param>
/// <param name="Length">Bytes of what <paramref name="Sha256"/> is of.</param>
/// <param name="Sha256">In lower-case hexadecimal digits.</param>
/// <param name="IsOfContent">The checksum is of the unpacked content: packed copies of it differ from mirror to mirror.</param>
internal sealed record PublishedFile(string Name, long Length, string Sha256, bool IsOfContent = false);

/// <summary>A file that a dataset is read from.</summary>
/// <param name="Name">Its name, unpacked.</param>
/// <param name="Published">What to download to have it: the file itself, plain or packed, or an archive that holds it.</param>
internal sealed record DatasetFile(string Name, PublishedFile Published)
{
    /// <summary>Whether it is published in an archive with others.</summary>
    public bool IsInArchive => Published.Name != Name && Published.Name != Name + ".gz";

    /// <summary>The names under which the file itself is known, the quickest to read first.</summary>
    public IEnumerable<string> Spellings
    {
        get
        {
            var dotted = Name.Replace("-idx", ".idx", StringComparison.Ordinal);
            return ((string[])[Name, dotted, Name + ".gz", dotted + ".gz"]).Distinct();
        }
    }

    /// <summary>A file that is published packed with gzip, under its name and ".gz".</summary>
    public static DatasetFile Gzipped(string name, long length, string sha256, bool isOfContent = false) =>
        new(name, new PublishedFile(name + ".gz", length, sha256, isOfContent));

    /// <summary>A file that is published as it is.</summary>
    public static DatasetFile Plain(string name, long length, string sha256) => new(name, new PublishedFile(name, length, sha256));
}

/// <summary>The files of one publication, which lie in one folder.</summary>
/// <param name="Title">The publication's name for readers.</param>
/// <param name="Folder">The folder in the cache, or within the folder that the user names.</param>
/// <param name="Size">How much there is to download, in words.</param>
/// <param name="Mirrors">Folders of the network that hold the published files, the preferred one first.</param>
/// <param name="Files">What is needed of it.</param>
internal sealed record FileSet(string Title, string Folder, string Size, IReadOnlyList<Uri> Mirrors, IReadOnlyList<DatasetFile> Files)
{
    /// <summary>The folder that its archive unpacks to, where it has one of its own.</summary>
    public string? Unpacked { get; init; }

    /// <summary>What there is to download, each once.</summary>
    public IEnumerable<PublishedFile> Published => Files.Select(file => file.Published).Distinct();
}
