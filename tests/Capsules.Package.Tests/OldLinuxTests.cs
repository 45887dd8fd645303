using System.Security.Cryptography;
using System.Text;

namespace Capsules.Package.Tests;

/// <summary>The property CapsulesTorchOnOldLinux of the package's targets (src/Capsules/buildTransitive/Capsules.targets).</summary>
public sealed class OldLinuxTests(PackedLibrary library)
{
    private const string Library = "libLibTorchSharp.so";
    private const string SwitchOn = "-p:CapsulesTorchOnOldLinux=true";

    private string Original => Path.Combine(library.PackageCache, "torchsharp", Repository.TorchSharpVersion, "runtimes", "linux-x64", "native", Library);

    [Fact]
    public async Task Build_SecondTime_TouchesNothing()
    {
        var consumer = await Create("old-linux-twice");
        await consumer.Build(SwitchOn);
        string copy = Directory.GetFiles(Path.Combine(consumer.Folder, "obj"), Library, SearchOption.AllDirectories).Single();
        var times = (File.GetLastWriteTimeUtc(copy), File.GetLastWriteTimeUtc(Built(consumer)));
        await Task.Delay(50, TestContext.Current.CancellationToken); // A file written now gets another time.

        await consumer.Build(SwitchOn);

        (File.GetLastWriteTimeUtc(copy), File.GetLastWriteTimeUtc(Built(consumer))).Should().Be(times);
    }

    [Fact]
    public async Task Build_PropertySwitchedOnAndOff_MarksTheVersionNeedWeakAndNothingElse()
    {
        var consumer = await Create("old-linux-switched");
        byte[] original = SHA256.HashData(File.ReadAllBytes(Original));

        await consumer.Build();
        SHA256.HashData(File.ReadAllBytes(Built(consumer))).Should().Equal(original);

        await consumer.Build(SwitchOn);
        AssertWeakened(Built(consumer));

        await consumer.Build();
        SHA256.HashData(File.ReadAllBytes(Built(consumer))).Should().Equal(original);
        SHA256.HashData(File.ReadAllBytes(Original)).Should().Equal(original, "the package cache is only read");
    }

    [Fact]
    public async Task Build_IntermediateFolderElsewhere_WeakensTheLibrary()
    {
        var consumer = await Create("old-linux-artifacts");
        string artifacts = Path.Combine(library.Scratch, "artifacts of old linux");

        await consumer.Build(SwitchOn, "--artifacts-path", artifacts);

        AssertWeakened(Directory.GetFiles(Path.Combine(artifacts, "bin"), Library, SearchOption.AllDirectories).Single());
    }

    // Without a back end: TorchSharp's own library is all that these tests look at.
    private async Task<Consumer> Create(string name)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The library in question is Linux's.");
        return await Consumer.Create(library, name);
    }

    private static string Built(Consumer consumer) => Path.Combine(consumer.Output, "runtimes", "linux-x64", "native", Library);

    private void AssertWeakened(string path)
    {
        byte[] original = File.ReadAllBytes(Original), weakened = File.ReadAllBytes(path);

        weakened.Should().HaveSameCount(original);
        int changed = Enumerable.Range(0, original.Length).Where(i => original[i] != weakened[i]).Should().ContainSingle().Subject;

        // Elf64_Vernaux: vna_hash (4 bytes), vna_flags (2), vna_other, vna_name, vna_next.
        BitConverter.ToUInt32(original, changed - 4).Should().Be(ElfHash("GLIBCXX_3.4.32"), "the byte is that version need's flags");
        original[changed].Should().Be(0);
        weakened[changed].Should().Be(2, "VER_FLG_WEAK is 2");
    }

    private static uint ElfHash(string name)
    {
        uint hash = 0;
        foreach (byte character in Encoding.ASCII.GetBytes(name))
        {
            hash = (hash << 4) + character;
            uint high = hash & 0xf0000000;
            hash = (hash ^ (high >> 24)) & ~high;
        }

        return hash;
    }
}
