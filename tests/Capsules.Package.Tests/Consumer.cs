using System.Runtime.InteropServices;
using System.Xml.Linq;

namespace Capsules.Package.Tests;

/// <summary>A console project outside the repository, made by <c>dotnet new console</c>, that references the packed library.</summary>
internal sealed class Consumer
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(10); // A cold cache downloads libtorch.

    private static readonly string[] LibtorchPlatforms = ["linux-x64", "win-x64", "osx-arm64"];

    private Consumer(string folder) => Folder = folder;

    public string Folder { get; }

    public string Output => Path.Combine(Folder, "bin", "Release", "net10.0");

    public static async Task<Consumer> Create(PackedLibrary library, string name)
    {
        string folder = Path.Combine(library.Scratch, name);
        await Dotnet.Run(library.Scratch, TimeSpan.FromMinutes(2), "new", "console", "-o", folder, "-f", "net10.0", "--no-restore");
        var consumer = Adopt(library, folder);
        consumer.Add("PackageReference", "Capsules", library.Version);
        return consumer;
    }

    /// <summary>A project that was made in some other way, and refers to the packed library by itself.</summary>
    public static Consumer Adopt(PackedLibrary library, string folder)
    {
        File.Copy(Repository.File("global.json"), Path.Combine(folder, "global.json"));

        // The repository's nuget.config and, as for the repository, the user's own sources. Packages new to this machine go
        // below the temporary folder; all others, libtorch above all, are read where the repository's restore put them.
        var config = new XDocument(library.NuGetConfig);
        config.Root!.Add(
            new XElement("config", Add("globalPackagesFolder", Path.Combine(library.Scratch, "packages"))),
            new XElement("fallbackPackageFolders", Add("repository", library.PackageCache)));
        config.Save(Path.Combine(folder, "nuget.config"));
        return new Consumer(folder);

        static XElement Add(string key, string value) => new("add", new XAttribute("key", key), new XAttribute("value", value));
    }

    /// <summary>References TorchSharp-cpu, of which only this platform's libtorch is restored: the other two weigh 0.7 GB.</summary>
    public void AddTorchSharpCpu()
    {
        Add("PackageReference", "TorchSharp-cpu", Repository.TorchSharpVersion);
        PruneOtherPlatforms();
    }

    /// <summary>Leaves out the libtorch of other platforms.</summary>
    public void PruneOtherPlatforms()
    {
        string mine = OperatingSystem.IsWindows() ? "win-x64" : OperatingSystem.IsMacOS() ? "osx-arm64" : "linux-x64";
        foreach (string other in LibtorchPlatforms.Where(p => p != mine))
        {
            Add("PrunePackageReference", $"libtorch-cpu-{other}", "9999.0.0");
        }
    }

    public void Add(string item, string package, string version) => Edit(project => project.Add(
        new XElement("ItemGroup", new XElement(item, new XAttribute("Include", package), new XAttribute("Version", version)))));

    public void Edit(Action<XElement> change)
    {
        string path = Directory.GetFiles(Folder, "*.csproj").Single();
        var project = XDocument.Load(path);
        change(project.Root!);
        project.Save(path);
    }

    public void SetProperty(string name, string value) =>
        Edit(project => project.Elements("PropertyGroup").First().SetElementValue(name, value));

    public void SetProgram(string text) => File.WriteAllText(Path.Combine(Folder, "Program.cs"), text);

    public Task<string> Build(params string[] arguments) => Dotnet.Run(Folder, Timeout, ["build", "-c", "Release", .. arguments]);

    public Task<string> Run(params string[] arguments) =>
        Dotnet.Run(Folder, TimeSpan.FromMinutes(3), ["run", "-c", "Release", "--no-build", "--", .. arguments]);

    public static bool LibtorchExists() => RuntimeInformation.OSArchitecture switch
    {
        Architecture.X64 => OperatingSystem.IsLinux() || OperatingSystem.IsWindows(),
        Architecture.Arm64 => OperatingSystem.IsMacOS(),
        _ => false,
    };
}
