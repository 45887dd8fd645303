using System.Reflection;

namespace Capsules.Package.Tests;

/// <summary>What the build of this test project knows: where the repository lies, and which versions it builds.</summary>
internal static class Repository
{
    public static string Root { get; } = Metadata("RepositoryRoot");

    public static string LibraryVersion { get; } = Metadata("LibraryVersion");

    public static string TorchSharpVersion { get; } = Metadata("TorchSharpVersion");

    public static string Configuration { get; } =
        typeof(Repository).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;

    public static string File(params string[] parts) => Path.Combine([Root, .. parts]);

    private static string Metadata(string key) =>
        typeof(Repository).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == key).Value!;
}
