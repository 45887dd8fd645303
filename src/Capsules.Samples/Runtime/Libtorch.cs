using System.Runtime.InteropServices;

namespace Capsules.Samples;

/// <summary>
/// Builds with TorchBackend=external carry no libtorch: they load that of an installed PyTorch, from the folder that
/// CAPSULES_LIBTORCH names, by full path and before torch is first touched.
/// </summary>
internal static class Libtorch
{
    public const string Variable = "CAPSULES_LIBTORCH";

    private static readonly string[] LinuxFiles = ["libc10.so", "libtorch_cpu.so", "libc10_cuda.so", "libtorch_cuda.so", "libtorch.so"];
    private static readonly string[] WindowsFiles = ["c10.dll", "torch_cpu.dll", "c10_cuda.dll", "torch_cuda.dll", "torch.dll"];
    private static readonly string[] MacFiles = ["libc10.dylib", "libtorch_cpu.dylib", "libtorch.dylib"];

    private static string[] Files => OperatingSystem.IsWindows() ? WindowsFiles : OperatingSystem.IsMacOS() ? MacFiles : LinuxFiles;

    /// <summary>Whether this build carries its own libtorch.</summary>
    public static bool IsCarried => ((string?)AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") ?? "")
        .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .Append(AppContext.BaseDirectory)
        .Any(folder => File.Exists(Path.Combine(folder, Files[1])));

    /// <summary>Loads the libtorch that the environment names, where this build carries none.</summary>
    /// <exception cref="UserException">There is none to load, two to choose from, or it does not load.</exception>
    public static void Load()
    {
        var folder = Environment.GetEnvironmentVariable(Variable);
        if (IsCarried)
        {
            if (!string.IsNullOrEmpty(folder))
            {
                throw new UserException($"{Variable} is set, but this build carries its own libtorch and two cannot live in one process. Unset it, or build with -p:TorchBackend=external.");
            }

            return;
        }

        if (string.IsNullOrEmpty(folder))
        {
            throw new UserException($"This build carries no libtorch (TorchBackend=external) and {Variable} is not set. Set it to the lib folder of an installed PyTorch, which python3 -c 'import torch,os;print(os.path.join(os.path.dirname(torch.__file__),\"lib\"))' prints.");
        }

        foreach (var path in Files.Select(file => Path.Combine(folder, file)))
        {
            if (!File.Exists(path))
            {
                if (path.Contains("cuda", StringComparison.Ordinal))
                {
                    continue;      // a PyTorch for the CPU alone
                }

                throw new UserException($"{Variable} is {folder}, but there is no {Path.GetFileName(path)} in it. Set it to the lib folder of an installed PyTorch.");
            }

            try
            {
                _ = NativeLibrary.Load(path);
            }
            catch (Exception failure) when (failure is DllNotFoundException or BadImageFormatException)
            {
                throw new UserException($"{path} does not load: {failure.Message}", failure);
            }
        }
    }
}
