namespace Capsules.Samples.Tests;

public sealed class DatasetCatalogTests : IDisposable
{
    private const string HowToGetIt =
        "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz from "
        + "https://ossci-datasets.s3.amazonaws.com/mnist/ or https://storage.googleapis.com/cvdf-datasets/mnist/, "
        + "and name the folder with --data or CAPSULES_DATA.";

    private readonly TemporaryFolder _folder = new();
    private readonly List<string> _notices = [];
    private readonly FakeMirrors _mirrors;

    // The mirrors serve the tiny dataset where a test allows it; no checksum but the original's would be taken.
    private bool _isOnline;

    public DatasetCatalogTests() => _mirrors = new FakeMirrors(_ => _isOnline
        ? FakeMirrors.Send(IdxBytes.Gzip(IdxBytes.Images(1)))
        : throw new HttpRequestException("Network is unreachable"));

    public void Dispose()
    {
        _mirrors.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("auto")]
    [InlineData("mnist")]
    public async Task Open_EveryPlaceHasMnist_TakesTheGivenFolder(string name)
    {
        using var dataset = await Open(name, Whole("given"), Whole("variable"), Whole("cache"));

        dataset.Name.Should().Be("mnist");
        dataset.Source.Should().Be(_folder.PathOf("given"));
    }

    [Theory]
    [InlineData("auto")]
    [InlineData("mnist")]
    public async Task Open_NoFolderGiven_TakesTheVariableBeforeTheCache(string name)
    {
        using var dataset = await Open(name, null, Whole("variable"), Whole("cache"));

        dataset.Source.Should().Be(_folder.PathOf("variable"));
    }

    [Fact]
    public async Task Open_NothingElse_TakesTheCacheWithoutADownload()
    {
        using var dataset = await Open("mnist", null, null, Whole("cache", within: "mnist"));

        dataset.Source.Should().Be(_folder.PathOf("cache", "mnist"));
        _mirrors.Requests.Should().BeEmpty();
    }

    [Theory]
    [InlineData("auto")]
    [InlineData("mnist")]
    public async Task Open_GivenFolderLacksMnist_IsAnErrorThoughOthersHaveIt(string name)
    {
        var given = Empty("given");

        (await ErrorOfOpen(name, given, Whole("variable"), Whole("cache"))).Should().Be(
            $"--data is {given}, but neither it nor its folder mnist holds MNIST. To have MNIST, put it there: {HowToGetIt}");
        _mirrors.Requests.Should().BeEmpty();
    }

    [Fact]
    public async Task Open_GivenFolderLacksOneFile_NamesIt()
    {
        var given = Whole("given");
        File.Delete(Path.Combine(given, "train-labels-idx1-ubyte"));

        (await ErrorOfOpen("auto", given, null, null)).Should().StartWith(
            $"--data is {given}, but {given} lacks train-labels-idx1-ubyte (plain or .gz). To have MNIST, put it there: ");
    }

    [Fact]
    public async Task Open_GivenFolderDoesNotExist_SaysSo()
    {
        var given = _folder.PathOf("nowhere");

        (await ErrorOfOpen("mnist", given, null, null)).Should().StartWith($"--data is {given}, but there is no such folder. ");
    }

    [Fact]
    public async Task Open_GivenFolderIsAFile_SaysSo()
    {
        var given = _folder.Write("file", [1]);

        (await ErrorOfOpen("mnist", given, null, null)).Should().StartWith($"--data is {given}, but that is a file, not a folder. ");
    }

    [Fact]
    public async Task Open_GivenFolderIsEmptyText_SaysSo() =>
        (await ErrorOfOpen("mnist", " ", null, null)).Should().Be(
            "--data is empty. Give it the folder that holds MNIST, or leave it away.");

    [Fact]
    public async Task Open_VariableLacksMnist_SaysSoAndGoesOn()
    {
        var variable = Empty("variable");

        using var dataset = await Open("auto", null, variable, Whole("cache"));

        dataset.Source.Should().Be(_folder.PathOf("cache"));
        _notices[0].Should().Be($"CAPSULES_DATA is {variable}, but neither it nor its folder mnist holds MNIST: looking further.");
    }

    [Theory]
    [InlineData("given")]
    [InlineData("variable")]
    [InlineData("cache")]
    public async Task Open_DamagedMnist_IsAnErrorEvenForAuto(string place)
    {
        var folder = Whole(place);
        await File.WriteAllBytesAsync(
            Path.Combine(folder, "train-images-idx3-ubyte"), IdxBytes.Images(3)[..^1], TestContext.Current.CancellationToken);

        var error = await ErrorOfOpen(
            "auto", place == "given" ? folder : null, place == "variable" ? folder : null, place == "cache" ? folder : null);

        error.Should().StartWith($"{Path.Combine(folder, "train-images-idx3-ubyte")} is cut short: ");
        error.Should().EndWith(place == "cache" ? "Delete the file and run again to download it anew." : "train-images-idx3-ubyte.gz.");
        _mirrors.Requests.Should().BeEmpty();
    }

    [Fact]
    public async Task Open_AutoWithoutMnistOrNetwork_GivesTheBuiltInDigitsAndSaysSo()
    {
        using var dataset = await Open("auto", null, null, Empty("cache"));

        dataset.Name.Should().Be("builtin");
        dataset.Train.Count.Should().Be(30_000);
        dataset.Test.Count.Should().Be(2_000);
        _notices.Should().Equal(
            $"Downloading MNIST (11 MB) to {_folder.PathOf("cache", "mnist")}.",
            "No MNIST: train-images-idx3-ubyte.gz: https://one.test/ failed (Network is unreachable); https://two.test/ failed (Network is unreachable).",
            "MNIST not found and not reachable: training on built-in digits; see --data");
    }

    [Fact]
    public async Task Open_MnistWithoutNetwork_SaysHowToGetIt()
    {
        (await ErrorOfOpen("mnist", null, null, Empty("cache"))).Should().Be(
            "MNIST was not found and could not be downloaded: train-images-idx3-ubyte.gz: https://one.test/ failed (Network is unreachable); "
            + $"https://two.test/ failed (Network is unreachable). To have MNIST, put it into a folder: {HowToGetIt}");
    }

    [Fact]
    public async Task Open_MirrorsSendOtherFiles_KeepsNothing()
    {
        _isOnline = true;

        (await ErrorOfOpen("mnist", null, null, Empty("cache"))).Should().Contain("https://one.test/ sent another file ");

        Directory.EnumerateFiles(_folder.Path, "*", SearchOption.AllDirectories).Should().BeEmpty();
    }

    [Fact]
    public async Task Open_PartOfTheCacheMissing_DownloadsThatAlone()
    {
        var cache = Whole("cache", within: "mnist");
        File.Delete(_folder.PathOf("cache", "mnist", "t10k-images-idx3-ubyte"));

        await ErrorOfOpen("mnist", null, null, cache);

        _mirrors.Requests.Should().Equal("https://one.test/t10k-images-idx3-ubyte.gz", "https://two.test/t10k-images-idx3-ubyte.gz");
    }

    [Fact]
    public async Task Open_MnistIsDownloadable_DownloadsAndLoadsIt()
    {
        var original = RealMnist.FolderOrSkip();
        using var mirrors = new FakeMirrors(address => FakeMirrors.Send(File.OpenRead(
            original.PathOf(Mnist.Files.Files.Single(file => address.AbsolutePath == $"/{file.Published.Name}")))));
        using var download = new DatasetDownload(mirrors, FakeMirrors.Both);
        var heard = new List<DownloadProgress>();
        var catalog = new DatasetCatalog(new DataFolders(null, null, _folder.Path), download, _notices.Add, heard.Add);

        using var dataset = await catalog.OpenAsync("auto", null, TestContext.Current.CancellationToken);
        using var again = await catalog.OpenAsync("auto", null, TestContext.Current.CancellationToken);

        dataset.Train.Count.Should().Be(60_000);
        dataset.Source.Should().Be(_folder.PathOf("mnist"));
        heard.Select(progress => progress.File).Distinct().Should().HaveCount(4);
        _notices.Should().Equal($"Downloading MNIST (11 MB) to {_folder.PathOf("mnist")}.");
        mirrors.Requests.Should().HaveCount(4, "the second time nothing is left to download");
    }

    [Fact]
    public async Task Open_NoUserFolder_DownloadsNothing()
    {
        (await ErrorOfOpen("mnist", null, null, null)).Should().StartWith(
            "MNIST was not found and could not be downloaded: there is no user folder to download to. ");
        _mirrors.Requests.Should().BeEmpty();
    }

    [Fact]
    public async Task Open_Cancelled_FallsBackOnNothing()
    {
        using var cancellation = new CancellationTokenSource();
        await cancellation.CancelAsync();
        using var download = new DatasetDownload(_mirrors, FakeMirrors.Both);
        var catalog = new DatasetCatalog(new DataFolders(null, null, Empty("cache")), download, _notices.Add);

        var open = () => catalog.OpenAsync("auto", null, cancellation.Token);

        await open.Should().ThrowAsync<OperationCanceledException>();
    }

    [Fact]
    public async Task Open_BuiltIn_LooksNowhere()
    {
        using var dataset = await Open("builtin", null, Whole("variable"), Whole("cache"));

        dataset.Name.Should().Be("builtin");
        _notices.Should().BeEmpty();
        _mirrors.Requests.Should().BeEmpty();
    }

    [Fact]
    public async Task Open_BuiltInWithAFolder_SaysThatItHasNoEffect()
    {
        using var dataset = await Open("builtin", Empty("given"), null, null);

        _notices.Should().Equal("The built-in digits are generated: --data has no effect on them.");
    }

    [Theory]
    [InlineData("minst", "There is no dataset 'minst'. Did you mean 'mnist'? Known: auto, mnist, ")]
    [InlineData("MNIST", "There is no dataset 'MNIST'. Did you mean 'mnist'? Known: auto, mnist, ")]
    [InlineData("built-in", "There is no dataset 'built-in'. Did you mean 'builtin'? Known: auto, mnist, ")]
    [InlineData("imagenet", "There is no dataset 'imagenet'. Known: auto, mnist, ")]
    [InlineData("", "There is no dataset ''. Known: auto, mnist, ")]
    public async Task Open_UnknownName_ListsTheNames(string name, string message) =>
        (await ErrorOfOpen(name, null, null, null)).Should().StartWith(message);

    private string Empty(string name) => Directory.CreateDirectory(_folder.PathOf(name)).FullName;

    private string Whole(string name, string within = "")
    {
        IdxBytes.WriteTinyMnist(_folder, Path.Combine(name, within));
        return _folder.PathOf(name);
    }

    private async Task<ImageDataset> Open(string name, string? given, string? variable, string? cache)
    {
        using var download = new DatasetDownload(_mirrors, FakeMirrors.Both);
        var catalog = new DatasetCatalog(new DataFolders(given, variable, cache), download, _notices.Add);
        return await catalog.OpenAsync(name, null, TestContext.Current.CancellationToken);
    }

    private async Task<string> ErrorOfOpen(string name, string? given, string? variable, string? cache)
    {
        var open = () => Open(name, given, variable, cache);
        return (await open.Should().ThrowAsync<UserException>()).Which.Message;
    }
}
