namespace Capsules.Samples;

/// <summary>Finds the dataset that <c>--dataset</c> names.</summary>
/// <param name="folders">Where to look.</param>
/// <param name="download">How to get what is not there.</param>
/// <param name="notice">Receives sentences that the user should read, such as which data is used instead of which.</param>
/// <param name="progress">Hears of downloads.</param>
internal sealed class DatasetCatalog(
    DataFolders folders, MnistDownload download, Action<string> notice, Action<DownloadProgress>? progress = null)
{
    public const string Auto = "auto";
    public const string FallbackNotice = "MNIST not found and not reachable: training on built-in digits; see --data";

    /// <summary>What <c>--dataset</c> takes, with what it means.</summary>
    public static IReadOnlyDictionary<string, string> Names { get; } = new Dictionary<string, string>
    {
        [Auto] = "MNIST if it can be found or downloaded, else the built-in digits",
        [Mnist.Name] = "handwritten digits, 28 x 28, 60,000 to train on and 10,000 to test on",
        [BuiltInDigits.Name] = "generated digits, 28 x 28, no download",
    };

    /// <summary>Opens a dataset from this machine's folders, or from the network.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="dataFolder">The folder of <c>--data</c>, or null.</param>
    /// <exception cref="UserException">The name is unknown, the data is damaged, or it is not to be had.</exception>
    public static async Task<ImageDataset> OpenAsync(
        string name,
        string? dataFolder,
        Action<string> notice,
        Action<DownloadProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        using var download = new MnistDownload();
        return await new DatasetCatalog(DataFolders.OfThisMachine(dataFolder), download, notice, progress).OpenAsync(name, cancellation);
    }

    /// <summary>Opens a dataset by its name. The caller owns it.</summary>
    public async Task<ImageDataset> OpenAsync(string name, CancellationToken cancellation = default) => name switch
    {
        Auto => await OpenMnistAsync(orElse: OpenFallback, cancellation),
        Mnist.Name => await OpenMnistAsync(orElse: reason => throw NotToBeHad(reason), cancellation),
        BuiltInDigits.Name => OpenBuiltIn(),
        _ => throw UnknownName(name),
    };

    // A folder that holds damaged data ends the search: training on something else instead would hide the damage.
    private async Task<ImageDataset> OpenMnistAsync(Func<string, ImageDataset> orElse, CancellationToken cancellation)
    {
        if (folders.Given is not null)
        {
            return Mnist.Load(SearchGiven(folders.Given), isCache: false, notice);
        }

        if (folders.FromEnvironment is not null)
        {
            var found = MnistFolder.Search(folders.FromEnvironment);
            if (found.IsComplete)
            {
                return Mnist.Load(found, isCache: false, notice);
            }

            notice($"{DataFolders.Variable} is {folders.FromEnvironment}, but {Lack(found)}: looking further.");
        }

        if (folders.Cache is null)
        {
            return orElse("there is no user folder to download to");
        }

        var cached = MnistFolder.Search(folders.Cache);
        if (!cached.IsComplete)
        {
            var target = Path.Combine(folders.Cache, Mnist.Name);
            try
            {
                notice($"Downloading MNIST (11 MB) to {target}.");
                var missing = MnistFile.All.Where(file => !file.Spellings.Any(name => File.Exists(Path.Combine(target, name))));
                await download.FetchAsync(target, missing.ToList(), progress, cancellation);
            }
            catch (DownloadException failure)
            {
                return orElse(failure.Message);
            }

            cached = MnistFolder.Search(folders.Cache);
        }

        return Mnist.Load(cached, isCache: true, notice);
    }

    private static MnistFolder SearchGiven(string folder)
    {
        if (string.IsNullOrWhiteSpace(folder))
        {
            throw new UserException("--data is empty. Give it the folder that holds MNIST, or leave it away.");
        }

        var found = MnistFolder.Search(folder);
        return found.IsComplete
            ? found
            : throw new UserException($"--data is {folder}, but {Lack(found)}. {HowToGetIt("put it there")}");
    }

    private static string Lack(MnistFolder found)
    {
        if (!Directory.Exists(found.Folder))
        {
            return File.Exists(found.Folder) ? "that is a file, not a folder" : "there is no such folder";
        }

        var missing = found.Missing.ToList();
        return missing.Count == MnistFile.All.Count
            ? "neither it nor its folder mnist holds MNIST"
            : $"{found.Folder} lacks {string.Join(" and ", missing)} (plain or .gz)";
    }

    private ImageDataset OpenFallback(string reason)
    {
        notice($"No MNIST: {reason}.");
        notice(FallbackNotice);
        return BuiltInDigits.Create();
    }

    private ImageDataset OpenBuiltIn()
    {
        if (folders.Given is not null)
        {
            notice("The built-in digits are generated: --data has no effect on them.");
        }

        return BuiltInDigits.Create();
    }

    private static UserException NotToBeHad(string reason) => new(
        $"MNIST was not found and could not be downloaded: {reason}. {HowToGetIt("put it into a folder")}");

    private static string HowToGetIt(string action) =>
        $"To have MNIST, {action}: {string.Join(", ", MnistFile.All.Select(file => file.Name + ".gz"))} "
        + $"from {string.Join(" or ", MnistDownload.PublicMirrors)}, and name the folder with --data or {DataFolders.Variable}.";

    private static UserException UnknownName(string name)
    {
        var suggestion = Suggestion.Closest(name, Names.Keys);
        return new UserException(
            $"There is no dataset '{name}'. {(suggestion is null ? "" : $"Did you mean '{suggestion}'? ")}Known: {string.Join(", ", Names.Keys)}.");
    }
}
