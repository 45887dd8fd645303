namespace Capsules.Samples;

/// <summary>The datasets of the sample, and how the one that <c>--dataset</c> names is found.</summary>
/// <param name="folders">Where to look.</param>
/// <param name="download">How to get what is not there.</param>
/// <param name="notice">Receives sentences that the user should read, such as which data is used instead of which.</param>
/// <param name="progress">Hears of downloads.</param>
internal sealed class DatasetCatalog(
    DataFolders folders, DatasetDownload download, Action<string> notice, Action<DownloadProgress>? progress = null)
{
    public const string Auto = "auto";
    public const string FallbackNotice = "MNIST not found and not reachable: training on built-in digits; see --data";

    /// <summary>All datasets, in the order in which they are listed. To add one: its file, and an entry here.</summary>
    public static IReadOnlyList<DatasetKind> All { get; } =
    [
        Mnist.Kind, FashionMnist.Kind, Emnist.Digits, Emnist.Letters, Cifar10.Kind, Cifar100.Kind, Svhn.Kind, SmallNorb.Kind,
        MultiMnist.Paper, MultiMnist.Code, AffineMnist.Kind, AffineMnist.Like, ImageFolder.Kind, BuiltInDigits.Kind,
    ];

    /// <summary>What <c>--dataset</c> takes, with what it means.</summary>
    public static IReadOnlyDictionary<string, string> Names { get; } = new Dictionary<string, string>(
    [
        new(Auto, "MNIST if it can be found or downloaded, else the built-in digits"),
        .. All.Select(kind => KeyValuePair.Create(kind.Name, kind.Description)),
    ]);

    /// <summary>Finds a dataset by its name; "auto" stands for MNIST.</summary>
    /// <exception cref="UserException">There is none of that name.</exception>
    public static DatasetKind Get(string name) => All.FirstOrDefault(kind => kind.Name == (name == Auto ? Mnist.Name : name))
        ?? throw new UserException($"There is no dataset '{name}'.{Suggestion.Sentence(name, Names.Keys)} Known: {string.Join(", ", Names.Keys)}.");

    /// <summary>Opens a dataset from this machine's folders, or from the network.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="dataFolder">The folder of <c>--data</c>, or null.</param>
    /// <param name="notice">Receives sentences that the user should read.</param>
    /// <param name="options">What is wanted of the dataset; null for nothing in particular.</param>
    /// <param name="progress">Hears of downloads.</param>
    /// <param name="cancellation">Stops downloads.</param>
    /// <exception cref="UserException">The name is unknown, the data is damaged, or it is not to be had.</exception>
    public static async Task<ImageDataset> OpenAsync(
        string name,
        string? dataFolder,
        Action<string> notice,
        DatasetOptions? options = null,
        Action<DownloadProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        using var download = new DatasetDownload();
        return await new DatasetCatalog(DataFolders.OfThisMachine(dataFolder), download, notice, progress).OpenAsync(name, options, cancellation);
    }

    /// <summary>Opens a dataset by its name. The caller owns it.</summary>
    public async Task<ImageDataset> OpenAsync(string name, DatasetOptions? options = null, CancellationToken cancellation = default)
    {
        var kind = Get(name);
        CheckOptions(kind, options ??= new DatasetOptions());
        var found = new List<DatasetFolder>();
        try
        {
            foreach (var set in kind.Needs)
            {
                found.Add(await FindAsync(set, cancellation));
            }
        }
        catch (DownloadException failure) when (name == Auto)
        {
            notice($"No MNIST: {failure.Message}.");
            notice(FallbackNotice);
            return Cropped(BuiltInDigits.Create(), options);
        }
        catch (DownloadException failure)
        {
            var set = kind.Needs[found.Count];
            throw new UserException(
                $"{set.Title} was not found and could not be downloaded: {failure.Message}. {HowToGetIt(set, "put it into a folder")}");
        }

        return Cropped(kind.Open(new DatasetSource(found, folders.Given, options, notice)), options);
    }

    private static ImageDataset Cropped(ImageDataset dataset, DatasetOptions options) =>
        options.Crop is { } size ? CroppedSplit.Of(dataset, size) : dataset;

    private void CheckOptions(DatasetKind kind, DatasetOptions options)
    {
        if (options.ImageSize is not null && !kind.TakesImageSize)
        {
            throw new UserException($"--image-size means nothing to --dataset {kind.Name}. Leave it out.");
        }

        if (options.Grey && !kind.TakesGrey)
        {
            throw new UserException($"--grey means nothing to --dataset {kind.Name}. Leave it out.");
        }

        if (kind.Data == DataFolderUse.Dataset && folders.Given is null)
        {
            throw new UserException($"--dataset {kind.Name} needs --data with the folder of images.");
        }

        if (folders.Given is not null && kind.Data == DataFolderUse.None)
        {
            notice($"{kind.Title} are generated: --data has no effect on them.");
        }
        else if (folders.Given is not null && string.IsNullOrWhiteSpace(folders.Given))
        {
            throw new UserException(
                $"--data is empty. Give it the folder that holds {kind.Title}{(kind.Data == DataFolderUse.Place ? ", or leave it away" : "")}.");
        }
    }

    // A folder that holds damaged data ends the search: training on something else instead would hide the damage.
    private async Task<DatasetFolder> FindAsync(FileSet set, CancellationToken cancellation)
    {
        if (folders.Given is not null)
        {
            var given = DatasetFolder.Search(set, folders.Given);
            return given.IsComplete
                ? given
                : throw new UserException($"--data is {folders.Given}, but {Lack(given)}. {HowToGetIt(set, "put it there")}");
        }

        if (folders.FromEnvironment is not null)
        {
            var found = DatasetFolder.Search(set, folders.FromEnvironment);
            if (found.IsComplete)
            {
                return found;
            }

            notice($"{DataFolders.Variable} is {folders.FromEnvironment}, but {Lack(found)}: looking further.");
        }

        if (folders.Cache is null)
        {
            throw new DownloadException("there is no user folder to download to");
        }

        var cached = DatasetFolder.Search(set, folders.Cache, isCache: true);
        if (!cached.IsComplete)
        {
            var target = Path.Combine(folders.Cache, set.Folder);
            notice($"Downloading {set.Title} ({set.Size}) to {target}.");
            var missing = set.Files.Where(file => !file.Spellings.Append(file.Published.Name).Any(name => File.Exists(Path.Combine(target, name))));
            await download.FetchAsync(target, missing.Select(file => file.Published).Distinct().ToList(), set.Mirrors, progress, cancellation);
            cached = DatasetFolder.Search(set, folders.Cache, isCache: true);
        }

        return cached;
    }

    private static string Lack(DatasetFolder found)
    {
        if (!Directory.Exists(found.Folder))
        {
            return File.Exists(found.Folder) ? "that is a file, not a folder" : "there is no such folder";
        }

        var missing = found.Missing.ToList();
        return missing.Count == found.Set.Files.Count
            ? $"neither it nor its folder {found.Set.Folder} holds {found.Set.Title}"
            : $"{found.Folder} lacks {string.Join(" and ", missing.Select(file => file.Name))} (plain or .gz)";
    }

    private static string HowToGetIt(FileSet set, string action) =>
        $"To have {set.Title}, {action}: {string.Join(", ", set.Published.Select(file => file.Name))} "
        + $"from {string.Join(" or ", set.Mirrors)}, and name the folder with --data or {DataFolders.Variable}.";
}
