using System.Runtime.InteropServices;

namespace Capsules.Tests.Libtorch;

public sealed class LibtorchLoaderTests : IDisposable
{
    private static readonly string[] Needed = ["c10", "torch_cpu", "torch"];

    private readonly string _root = Directory.CreateTempSubdirectory("libtorch").FullName;

    private string Lib => Path.Combine(_root, "lib");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Open_FolderThatIsNotThere_SaysSoAndHowToFindOne() => Opening(Path.Combine(_root, "nowhere")).Should()
        .Throw<DllNotFoundException>().WithMessage($"libtorch was to be loaded from {_root}*nowhere, but there is no such folder. python3 -c *");

    [Theory]
    [InlineData("c10")]
    [InlineData("torch_cpu")]
    [InlineData("torch")]
    public void Open_LibraryThatIsMissing_IsNamed(string library)
    {
        Make([.. Needed.Where(name => name != library)]);
        Opening(Lib).Should().Throw<DllNotFoundException>().WithMessage($"*there is no {LibtorchFolder.FileName(library)} in it.*");
    }

    [Theory]
    [InlineData("version.py", "__version__ = '1.13.0a0'\ncuda = None\n", "1.13.0")]
    [InlineData("version.py", "from typing import Optional\n__version__ = \"2.9.1+cu128\"\n", "2.9.1")]
    [InlineData("build-version", "2.5\n", "2.5")]
    public void Open_OldVersion_IsRefusedBeforeAnythingIsLoaded(string file, string text, string version)
    {
        Make(Needed);
        File.WriteAllText(Path.Combine(_root, file), text);
        Opening(Lib).Should().Throw<DllNotFoundException>().WithMessage($"*holds libtorch {version}, but this version of TorchSharp needs 2.10 or later.*");
    }

    [Theory]
    [InlineData("__version__ = '2.11.0+cu130'\ndebug = False\ncuda: Optional[str] = '13.0'\n", "2.11.0", "13.0")]
    [InlineData("__version__ = '2.10.0'\ncuda = '12.8'\n", "2.10.0", "12.8")]
    [InlineData("__version__ = '2.10.0+cpu'\ncuda: Optional[str] = None\n", "2.10.0", null)]
    public void Open_VersionFile_IsReadAsPyTorchWritesIt(string text, string version, string? cuda)
    {
        Make(Needed);
        File.WriteAllText(Path.Combine(_root, "version.py"), text);
        var folder = LibtorchFolder.Open(Lib);
        folder.Version.Should().Be(Version.Parse(version));
        folder.Cuda.Should().Be(cuda);
    }

    [Fact]
    public void Files_WithCuda_AreAllAndInTheOrderOfTheirNeeds()
    {
        Make(["torch", "torch_cuda", "c10_cuda", "torch_cpu", "c10", "shm"]);
        LibtorchFolder.Open(Lib).Files.Should()
            .Equal(((string[])["c10", "c10_cuda", "torch_cpu", "torch_cuda", "torch"]).Select(LibtorchFolder.FileName));
    }

    [Fact]
    public void LoadFrom_FileThatIsNoLibrary_GivesTheLoadersWords()
    {
        Make(Needed);
        string? begun = null;
        Action load = () => LibtorchLoader.LoadFrom(LibtorchFolder.Open(Lib), ref begun);
        var message = load.Should().Throw<DllNotFoundException>().Which.Message;
        message.Should().StartWith($"libtorch was to be loaded from {Lib}, but {LibtorchFolder.FileName("c10")} does not load. The loader says: ");
        if (OperatingSystem.IsLinux())
        {
            message.Should().Contain($"{LibtorchFolder.FileName("c10")}: file too short");
        }

        begun.Should().BeNull("nothing of the folder is loaded");
    }

    [Fact]
    public void LoadFrom_AfterALoadThatFailedHalfWay_TakesNoOtherFolder()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "What is loaded in place of c10 is a library that .NET has on Linux.");
        var other = Path.Combine(_root, "other");
        Make(Needed);
        Make(Needed, other);
        var library = Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "libSystem.IO.Compression.Native.so");
        File.Copy(library, Path.Combine(Lib, LibtorchFolder.FileName("c10")), overwrite: true);
        string? begun = null;

        Loading(Lib).Should().Throw<DllNotFoundException>().WithMessage("*libtorch_cpu.so does not load, after libc10.so. *");
        Loading(other).Should().Throw<InvalidOperationException>().WithMessage($"*from {other}, but part of that of {Lib} is loaded*two cannot live in one process. *");
        Loading(Lib).Should().Throw<DllNotFoundException>("the same folder may be tried again");

        Action Loading(string folder) => () => LibtorchLoader.LoadFrom(LibtorchFolder.Open(folder), ref begun);
    }

    [Fact]
    public void Load_WhereTheProgramCarriesItsOwn_DoesNothingAndRefusesAnother()
    {
        Assert.SkipUnless(LibtorchLoader.IsCarried, "These tests were built with TorchBackend=external.");
        LibtorchLoader.Load();
        LibtorchLoader.Loaded.Should().BeNull();
        Action another = () => LibtorchLoader.Load(Lib);
        another.Should().Throw<InvalidOperationException>().WithMessage($"libtorch is to be loaded from {Lib}, but this program carries its own*");
    }

    [Fact]
    public void Load_External_KeepsWhatItHasLoaded()
    {
        Assert.SkipWhen(LibtorchLoader.IsCarried, "These tests carry a libtorch.");
        LibtorchLoader.Loaded!.Version.Should().Be(LibtorchLoader.Version);
        LibtorchLoader.Load();
        Action another = () => LibtorchLoader.Load(Lib);
        another.Should().Throw<InvalidOperationException>().WithMessage("*two cannot live in one process.");
    }

    [Fact]
    public void Version_OfTheRunningLibtorch_IsAtLeastWhatTorchSharpNeeds() =>
        LibtorchLoader.Version.Should().NotBeNull().And.Match(version => (Version)version >= new Version(2, 10) && ((Version)version).Major < 10);

    private static Action Opening(string path) => () => LibtorchFolder.Open(path);

    private void Make(string[] libraries, string? folder = null)
    {
        folder ??= Lib;
        Directory.CreateDirectory(folder);
        foreach (var library in libraries)
        {
            File.WriteAllText(Path.Combine(folder, LibtorchFolder.FileName(library)), "none");
        }
    }
}
