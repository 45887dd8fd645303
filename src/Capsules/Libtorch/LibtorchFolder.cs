using System.Text.RegularExpressions;

namespace Capsules;

/// <summary>A folder with the libtorch of an installed PyTorch, looked at before anything of it is loaded.</summary>
internal sealed partial class LibtorchFolder
{
    /// <summary>The oldest libtorch that TorchSharp 0.107.0 can run on: the one that it was built against.</summary>
    public static readonly Version Oldest = new(2, 10);

    /// <summary>How to find the folder, in words.</summary>
    public const string HowToFind =
        "python3 -c 'import torch,os;print(os.path.join(os.path.dirname(torch.__file__),\"lib\"))' prints the folder of an installed PyTorch.";

    // All before torch is first used: libtorch asks once whether there is CUDA, and keeps the answer.
    private static readonly string[] Names = Array.ConvertAll(["c10", "c10_cuda", "torch_cpu", "torch_cuda", "torch"], FileName);

    private LibtorchFolder(string path, Version? version, string? cuda) => (FullPath, Version, Cuda) = (path, version, cuda);

    /// <summary>The folder.</summary>
    public string FullPath { get; }

    /// <summary>The version that a file beside the libraries tells; null where there is none.</summary>
    public Version? Version { get; }

    /// <summary>The CUDA version that PyTorch says it was built for; null where it says none.</summary>
    public string? Cuda { get; }

    /// <summary>The libraries that there must be, in the order of loading; those for CUDA are left out where the folder has none.</summary>
    public IReadOnlyList<string> Files => [.. Names.Where(name => File.Exists(Path.Combine(FullPath, name)))];

    /// <summary>The file by which a libtorch is known.</summary>
    public static string Mark => FileName("torch_cpu");

    /// <summary>Looks at a folder.</summary>
    /// <exception cref="DllNotFoundException">It is not there, lacks a library, or is of a version that TorchSharp cannot run on.</exception>
    public static LibtorchFolder Open(string path)
    {
        if (!Directory.Exists(path))
        {
            throw new DllNotFoundException($"libtorch was to be loaded from {path}, but there is no such folder. {HowToFind}");
        }

        path = PathOf(path);
        var folder = new LibtorchFolder(path, ReadVersion(path), Match(CudaLine(), path, "version.py"));
        if (Names.FirstOrDefault(name => !name.Contains("cuda", StringComparison.Ordinal) && !File.Exists(Path.Combine(path, name))) is { } missing)
        {
            throw new DllNotFoundException($"libtorch was to be loaded from {path}, but there is no {missing} in it. {HowToFind}");
        }

        RequireVersion(path, folder.Version);
        return folder;
    }

    /// <summary>The full path of a folder, as <see cref="FullPath"/> has it.</summary>
    public static string PathOf(string folder) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));

    /// <summary>Throws where a version is known and too old.</summary>
    /// <exception cref="DllNotFoundException">It is.</exception>
    public static void RequireVersion(string path, Version? version)
    {
        if (version is not null && version < Oldest)
        {
            throw new DllNotFoundException(
                $"{path} holds libtorch {version}, but this version of TorchSharp needs {Oldest} or later. Install a newer PyTorch, or name the folder of another one.");
        }
    }

    /// <summary>A library's file name on this system.</summary>
    public static string FileName(string library) =>
        OperatingSystem.IsWindows() ? $"{library}.dll" : OperatingSystem.IsMacOS() ? $"lib{library}.dylib" : $"lib{library}.so";

    // A wheel has version.py beside lib/, a libtorch archive has build-version there. Of 2.11.0+cu130 or 1.13.0a0 the numbers count.
    private static Version? ReadVersion(string path) =>
        (Match(VersionLine(), path, "version.py") ?? Match(Numbers(), path, "build-version")) is { } text ? System.Version.Parse(text) : null;

    private static string? Match(Regex pattern, string path, string file)
    {
        var beside = Path.Combine(path, "..", file);
        try
        {
            return File.Exists(beside) && pattern.Match(File.ReadAllText(beside)) is { Success: true } match ? match.Groups[1].Value : null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return null;      // the library itself will tell its version
        }
    }

    [GeneratedRegex(@"^__version__\s*=\s*['""](\d{1,4}\.\d{1,4}(\.\d{1,4})?)", RegexOptions.Multiline)]
    private static partial Regex VersionLine();

    [GeneratedRegex(@"^(\d{1,4}\.\d{1,4}(\.\d{1,4})?)")]
    private static partial Regex Numbers();

    [GeneratedRegex(@"^cuda\b[^=\r\n]*=\s*['""]([\d.]+)['""]", RegexOptions.Multiline)]
    private static partial Regex CudaLine();
}
