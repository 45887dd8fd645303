using System.Xml.Linq;
using Capsules.Package.Tests;

[assembly: AssemblyFixture(typeof(PackedLibrary))]
// Each test runs builds of its own, which use all cores.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Capsules.Package.Tests;

/// <summary>
/// The library, packed once for all tests into the folder that nuget.config names as the source <c>capsules-local</c>.
/// </summary>
/// <remarks>
/// Consumers restore with the repository's nuget.config itself, so that this source is what they really use (see
/// <see cref="Consumer"/>). No package cache may answer in its stead with an older Capsules of the same version: every run
/// packs under a version of its own, and removes it from the feed at the end.
/// </remarks>
public sealed class PackedLibrary : IAsyncLifetime
{
    private const string Source = "capsules-local";

    public PackedLibrary()
    {
        NuGetConfig = XDocument.Load(Repository.File("nuget.config"));
        var source = NuGetConfig.Descendants("packageSources").Elements("add").Single(e => (string?)e.Attribute("key") == Source);
        Feed = Repository.File((string)source.Attribute("value")!);
        source.SetAttributeValue("value", Feed);
    }

    public string Version { get; } = $"{Repository.LibraryVersion}-test.{Guid.NewGuid():N}";

    /// <summary>A folder outside the repository for everything that the tests make; deleted at the end.</summary>
    public string Scratch { get; } = Directory.CreateTempSubdirectory("capsules-package-tests-").FullName;

    public string Feed { get; }

    public string PackagePath => Path.Combine(Feed, $"Capsules.{Version}.nupkg");

    public string SymbolsPath => Path.ChangeExtension(PackagePath, ".snupkg");

    public string TemplatesPath => Path.Combine(Scratch, $"Capsules.Templates.{Version}.nupkg");

    /// <summary>The repository's nuget.config, its local source with the full path.</summary>
    internal XDocument NuGetConfig { get; }

    internal string PackageCache { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        PackageCache = await Dotnet.PackageCache();
        await Pack("Capsules", Feed);
    }

    /// <summary>Packs the templates under the same version, for which the project that they make asks.</summary>
    public Task PackTemplates() => Pack("Capsules.Templates", Scratch);

    /// <summary>Packs a project of src under the same version.</summary>
    public Task<string> Pack(string project, string output) => Dotnet.Run(Repository.Root, TimeSpan.FromMinutes(3),
        "pack", Repository.File("src", project), "-c", Repository.Configuration, "--no-build", "-o", output,
        $"-p:PackageVersion={Version}", $"-p:NuspecOutputPath={Scratch}/nuspec/");

    public async ValueTask DisposeAsync()
    {
        File.Delete(PackagePath);
        File.Delete(SymbolsPath);
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                Directory.Delete(Scratch, recursive: true);
                return;
            }
            catch (Exception e) when (attempt < 10 && e is IOException or UnauthorizedAccessException)
            {
                await Task.Delay(500); // Windows: a file that a process just gone, or a virus scanner, still holds.
            }
        }
    }
}
