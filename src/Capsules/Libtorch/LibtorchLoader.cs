namespace Capsules;

/// <summary>Loads the libtorch of an installed PyTorch, for programs that reference TorchSharp without a back-end package.</summary>
/// <remarks>
/// <para>A program that carries no libtorch is small, and uses the CUDA libraries that PyTorch's installation brings. It calls
/// <see cref="Load"/> first thing, before torch is first touched: TorchSharp then finds libtorch in the process. Left to itself TorchSharp
/// would look in the folders of NuGet packages and copy half a gigabyte from there.</para>
/// <para>What is loaded, in this order and by full path: libtorch_global_deps where there is one, c10, c10_cuda, torch_cpu, torch_cuda, torch, and
/// TorchSharp's own native library. Those for CUDA are left out where the folder has none.</para>
/// <para>Any thread may call; the first to load decides for the process.</para>
/// </remarks>
public static class LibtorchLoader
{
    /// <summary>The environment variable that names the folder: CAPSULES_LIBTORCH.</summary>
    public const string Variable = "CAPSULES_LIBTORCH";

    private static readonly Lock Gate = new();

    private static string? _begun;      // the folder of which a library is loaded

    /// <summary>Whether the program carries a libtorch of its own, as one with a back-end package does.</summary>
    public static bool IsCarried => ProgramFolders.Any(folder => File.Exists(Path.Combine(folder, LibtorchFolder.Mark)));

    /// <summary>What <see cref="Load"/> has loaded; null where it has loaded nothing.</summary>
    public static LoadedLibtorch? Loaded { get; private set; }

    /// <summary>
    /// The version of the libtorch in this process; one that the program carries is loaded by asking. Null where none is loaded, or one too old to tell.
    /// </summary>
    public static unsafe Version? Version
    {
        get
        {
            var ask = (delegate* unmanaged[Cdecl]<ulong>)TorchLibrary.Find("aoti_torch_abi_version");
            if (ask == null)
            {
                return null;
            }

            var bits = ask();      // major, minor and patch in the three highest bytes
            return new Version((int)(bits >> 56), (int)(bits >> 48) & 0xff, (int)(bits >> 40) & 0xff);
        }
    }

    private static IEnumerable<string> ProgramFolders => ((string?)AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") ?? "")
        .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .Append(AppContext.BaseDirectory);

    /// <summary>
    /// Loads libtorch where the program carries none; where it does, and no folder is named, this does nothing. A second call does nothing either.
    /// </summary>
    /// <param name="folder">
    /// The lib folder of a PyTorch of version 2.10 or later. Default: what the environment variable CAPSULES_LIBTORCH says.
    /// </param>
    /// <exception cref="DllNotFoundException">No folder is named, it lacks a library, its version is too old, or a library does not load.</exception>
    /// <exception cref="InvalidOperationException">
    /// A folder is named and the program carries a libtorch, or another folder's is loaded, be it in part: two of them cannot live in one process.
    /// </exception>
    public static void Load(string? folder = null)
    {
        folder ??= Environment.GetEnvironmentVariable(Variable);
        lock (Gate)
        {
            if (Loaded is { } loaded)
            {
                RequireSame(loaded, folder);
                return;
            }

            if (IsCarried)
            {
                if (!string.IsNullOrEmpty(folder))
                {
                    throw new InvalidOperationException(
                        $"libtorch is to be loaded from {folder}, but this program carries its own, and two cannot live in one process. Unset {Variable}, " +
                        "or build the program without a back-end package (here: -p:TorchBackend=external).");
                }

                return;
            }

            if (string.IsNullOrEmpty(folder))
            {
                throw new DllNotFoundException(
                    $"This program carries no libtorch (TorchBackend=external) and {Variable} is not set. Set it to the lib folder of a PyTorch of version " +
                    $"{LibtorchFolder.Oldest} or later. {LibtorchFolder.HowToFind}");
            }

            Loaded = LoadFrom(LibtorchFolder.Open(folder), ref _begun);
        }
    }

    /// <summary>Loads the libraries of a folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="begun">The folder of which a library is loaded, since a load cannot be undone that fails half-way; null for none.</param>
    internal static LoadedLibtorch LoadFrom(LibtorchFolder folder, ref string? begun)
    {
        if (begun is not null && begun != folder.FullPath)
        {
            throw new InvalidOperationException(
                $"libtorch is to be loaded from {folder.FullPath}, but part of that of {begun} is loaded, by a load that failed, and two cannot live " +
                "in one process. Start the program anew.");
        }

        List<string> done = [];

        // What PyTorch itself loads first, for all to see. Not every libtorch has it or needs it, so its failure is no failure.
        var shared = Path.Combine(folder.FullPath, LibtorchFolder.FileName("torch_global_deps"));
        if (OperatingSystem.IsLinux() && File.Exists(shared) && NativeFile.Load(shared, shared: true) is null)
        {
            done.Add(Path.GetFileName(shared));
            begun = folder.FullPath;
        }

        foreach (var name in folder.Files)
        {
            if (NativeFile.Load(Path.Combine(folder.FullPath, name)) is { } reason)
            {
                throw NotLoaded(folder.FullPath, name, done, reason);
            }

            done.Add(name);
            begun = folder.FullPath;
        }

        var version = Version ?? throw new DllNotFoundException(
            $"The libtorch in {folder.FullPath} does not tell its version, as old ones do not, and this version of TorchSharp needs " +
            $"{LibtorchFolder.Oldest} or later. Install a newer PyTorch, or name the folder of another one.");
        LibtorchFolder.RequireVersion(folder.FullPath, version);
        return new LoadedLibtorch(folder.FullPath, version, folder.Cuda, LoadTorchSharp(folder.FullPath, done));
    }

    // TorchSharp's library finds its functions when they are first called, and one that is missing then ends the process. So all are asked for
    // at once; where some are missing, the others still serve.
    private static string? LoadTorchSharp(string folder, List<string> done)
    {
        var file = LibtorchFolder.FileName("LibTorchSharp");
        if (ProgramFolders.Select(place => Path.Combine(place, file)).FirstOrDefault(File.Exists) is not { } path)
        {
            throw new DllNotFoundException(
                $"TorchSharp's {file} is not beside this program ({AppContext.BaseDirectory}). Build it with a runtime identifier, as dotnet publish -r linux-x64 does.");
        }

        if (NativeFile.Load(path, resolved: true) is not { } reason)
        {
            return null;
        }

        return NativeFile.Load(path) is { } final ? throw NotLoaded(folder, path, done, final) : reason;
    }

    private static DllNotFoundException NotLoaded(string folder, string file, List<string> done, string reason)
    {
        var before = done.Count == 0 ? "" : $", after {string.Join(", ", done)}";
        var remedy = reason.Contains("GLIBCXX", StringComparison.Ordinal)
            ? "This system's C++ library is older than the file needs: take a PyTorch that was built for it."
            : "Name the lib folder of a complete installation of PyTorch, with the packages that it depends on beside it.";
        return new DllNotFoundException($"libtorch was to be loaded from {folder}, but {file} does not load{before}. The loader says: {reason.TrimEnd('.')}. {remedy}");
    }

    private static void RequireSame(LoadedLibtorch loaded, string? folder)
    {
        if (!string.IsNullOrEmpty(folder) && LibtorchFolder.PathOf(folder) != loaded.Folder)
        {
            throw new InvalidOperationException(
                $"libtorch is to be loaded from {folder}, but that of {loaded.Folder} is loaded already, and two cannot live in one process.");
        }
    }
}
