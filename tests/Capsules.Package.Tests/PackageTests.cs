using System.Buffers.Binary;
using System.IO.Compression;
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
    public void Package_Packed_CarriesTheRepositorysReadme() =>
        Read(library.PackagePath, "README.md").Should().Equal(File.ReadAllBytes(Repository.File("README.md")));

    [Fact]
    public void Package_Packed_CarriesAnIconOf128Pixels()
    {
        byte[] png = Read(library.PackagePath, "icon.png");

        png.Should().StartWith(new byte[] { 0x89, (byte)'P', (byte)'N', (byte)'G' });
        BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(16)).Should().Be(128, "that is the width");
        BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(20)).Should().Be(128, "that is the height");
    }

    [Fact]
    public void Symbols_Packed_HoldThePortablePdb() =>
        Read(library.SymbolsPath, "lib/net10.0/Capsules.pdb").Should().StartWith("BSJB"u8.ToArray());

    private static bool IsPartOfTheContainer(string name) =>
        name.StartsWith("_rels/", StringComparison.Ordinal) || name.StartsWith("package/", StringComparison.Ordinal)
        || name is "[Content_Types].xml" or "Capsules.nuspec";

    private static byte[] Read(string zip, string name)
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
