namespace Capsules.Tests.Kernels;

/// <summary>The repository's files that the CUDA kernel is made from.</summary>
internal static class CudaSources
{
    private static readonly string Root = FindRoot();

    public static string Kernel { get; } = Path.Combine(Root, "src", "Capsules", "Kernels", "Cuda");

    /// <summary>The device's source files in the order in which build.sh hashes them: that of their names' bytes.</summary>
    public static IReadOnlyList<string> KernelFiles { get; } =
    [
        .. Directory.EnumerateFiles(Kernel, "*.cu").Order(StringComparer.Ordinal),
        .. Directory.EnumerateFiles(Kernel, "*.cuh").Order(StringComparer.Ordinal),
    ];

    public static string Emulation { get; } = Path.Combine(Root, "benchmarks", "cuda");

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Capsules.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException(
            $"No folder above {AppContext.BaseDirectory} has Capsules.sln: run the tests from the repository.");
    }
}
