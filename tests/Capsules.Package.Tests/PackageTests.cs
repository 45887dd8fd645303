using System.Buffers.Binary;
using System.IO.Compression;
using System.Reflection.Metadata;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Capsules.Package.Tests;

public sealed class PackageTests(PackedLibrary library)
{
    [Fact]
    public void Package_Packed_HoldsTheLibraryAndNothingElse()
    {
        using var package = ZipFile.OpenRead(library.PackagePath);

        var files = package.Entries.Select(e => e.FullName).Where(n => !IsPartOfTheContainer(n));

        files.Should().BeEquivalentTo(
            "lib/net10.0/Capsules.dll", "lib/net10.0/Capsules.xml", "README.md", "icon.png", "buildTransitive/Capsules.targets");
    }

    [Fact]
    public void Package_Packed_IsSmall() => new FileInfo(library.PackagePath).Length.Should().BeLessThan(2_000_000);

    [Fact]
    public void Package_Packed_DependsOnTorchSharpAlone()
    {
        var groups = Elements("group");
        groups.Should().ContainSingle().Which.Attribute("targetFramework")!.Value.Should().Be("net10.0");

        var dependencies = Elements("dependency").Select(d => ($"{d.Attribute("id")?.Value}", $"{d.Attribute("version")?.Value}"));
        dependencies.Should().Equal(("TorchSharp", Repository.TorchSharpVersion));
    }

    [Fact]
    public void Package_Packed_NamesLicenceRepositoryReadmeAndIcon()
    {
        Elements("id").Single().Value.Should().Be("Capsules");
        Elements("license").Single().Should().HaveValue("MIT").And.HaveAttribute("type", "expression");
        Elements("repository").Single().Should().HaveAttribute("type", "git");
        Elements("repository").Single().Attribute("url")!.Value.Should().MatchRegex("^https://.+/capsules$");
        Elements("readme").Single().Value.Should().Be("README.md");
        Elements("icon").Single().Value.Should().Be("icon.png");
        Elements("description").Single().Value.Should().NotBeEmpty();
        Elements("tags").Single().Value.Should().Contain("torchsharp");
    }

    [Fact]
    public void Package_Packed_CarriesTheRepositorysReadmeWithFullLinks()
    {
        var packed = Text(Read(library.PackagePath, "README.md"));

        packed.Should().NotMatchRegex(@"\]\((?!https://)").And
            .Contain("](https://raw.githubusercontent.com/capsules-net/capsules/main/docs/images/sweep.png)").And
            .Contain("](https://github.com/capsules-net/capsules/blob/main/docs/layers.md)");
        packed.Replace("https://raw.githubusercontent.com/capsules-net/capsules/main/", "").Replace("https://github.com/capsules-net/capsules/blob/main/", "")
            .TrimEnd().Should().Be(Text(File.ReadAllBytes(Repository.File("README.md"))).TrimEnd());
    }

    [Fact]
    public void Package_Packed_CarriesAnIconOf128Pixels()
    {
        byte[] png = Read(library.PackagePath, "icon.png");

        png.Should().StartWith(new byte[] { 0x89, (byte)'P', (byte)'N', (byte)'G' });
        BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(16)).Should().Be(128, "that is the width");
        BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(20)).Should().Be(128, "that is the height");
    }

    [Fact]
    public void Package_Packed_DocumentsItsPublicTypes()
    {
        var documented = XDocument.Load(new MemoryStream(Read(library.PackagePath, "lib/net10.0/Capsules.xml")))
            .Descendants("member").Where(member => member.Element("summary") is { Value.Length: > 0 })
            .Select(member => member.Attribute("name")!.Value).ToHashSet();

        // The public types, as the file that guards the public API names them.
        var types = PublicApi().Where(line => Regex.IsMatch(line, @"^Capsules\.\w+$")).Select(line => "T:" + line).ToList();

        types.Should().Contain("T:Capsules.CapsuleLayer");
        types.Except(documented).Should().BeEmpty();
    }

    [Fact]
    public void Versions_StandInOnePlaceAndInTheChangelog()
    {
        var projects = Directory.GetFiles(Repository.File("src"), "*.csproj", SearchOption.AllDirectories);
        projects.Select(File.ReadAllText).Should().NotBeEmpty().And.NotContain(text => text.Contains("<Version>") || text.Contains("<PackageVersion>"));
        File.ReadAllText(Repository.File("Directory.Build.props")).Should().Contain($"<Version>{Repository.LibraryVersion}</Version>");
        File.ReadAllText(Repository.File("CHANGELOG.md")).Should().Contain($"## [{Repository.LibraryVersion}]");
    }

    // Known only in a clone that knows where it comes from, as that of continuous integration does.
    [Fact]
    public void Symbols_PackedFromAClone_LeadToTheSources()
    {
        Assert.SkipUnless(
            File.Exists(Repository.File(".git", "config")) && File.ReadAllText(Repository.File(".git", "config")).Contains("url = https://github.com/"),
            "This clone has no remote on GitHub.");

        using var pdb = MetadataReaderProvider.FromPortablePdbStream(new MemoryStream(Read(library.SymbolsPath, "lib/net10.0/Capsules.pdb")));
        var reader = pdb.GetMetadataReader();
        var sourceLink = new Guid("cc110556-a091-4d38-9fec-25ab9a351a6a");
        var links = reader.CustomDebugInformation.Select(reader.GetCustomDebugInformation)
            .Where(entry => reader.GetGuid(entry.Kind) == sourceLink).Select(entry => Text(reader.GetBlobBytes(entry.Value)));

        links.Should().ContainSingle().Which.Should().Contain("https://raw.githubusercontent.com/");
        Elements("repository").Single().Attribute("commit")!.Value.Should().MatchRegex("^[0-9a-f]{40}$");
    }

    [Fact]
    public void Symbols_Packed_HoldThePortablePdb() =>
        Read(library.SymbolsPath, "lib/net10.0/Capsules.pdb").Should().StartWith("BSJB"u8.ToArray());

    private static IEnumerable<string> PublicApi() => ((string[])["PublicAPI.Shipped.txt", "PublicAPI.Unshipped.txt"])
        .SelectMany(file => File.ReadLines(Repository.File("src", "Capsules", file)));

    internal static string Text(byte[] bytes) => Encoding.UTF8.GetString(bytes).ReplaceLineEndings("\n");

    private static bool IsPartOfTheContainer(string name) =>
        name.StartsWith("_rels/", StringComparison.Ordinal) || name.StartsWith("package/", StringComparison.Ordinal)
        || name is "[Content_Types].xml" or "Capsules.nuspec";

    internal static byte[] Read(string zip, string name)
    {
        using var archive = ZipFile.OpenRead(zip);
        using var entry = (archive.GetEntry(name) ?? throw new FileNotFoundException($"{name} is not in {zip}.")).Open();
        using var bytes = new MemoryStream();
        entry.CopyTo(bytes);
        return bytes.ToArray();
    }

    private List<XElement> Elements(string name)
    {
        using var stream = new MemoryStream(Read(library.PackagePath, "Capsules.nuspec"));
        return [.. XDocument.Load(stream).Descendants().Where(e => e.Name.LocalName == name)];
    }
}
