using System.IO.Compression;
using System.Text.RegularExpressions;

namespace Capsules.Package.Tests;

/// <summary><c>dotnet new capsnet</c>, installed for the test alone.</summary>
public sealed class TemplateTests(PackedLibrary library)
{
    [Fact]
    public async Task Template_InstalledAndMade_BuildsWithoutWarningTrainsAndPredicts()
    {
        Assert.SkipUnless(Consumer.LibtorchExists(), "There is no libtorch package for this platform.");
        await library.PackTemplates();
        string folder = Path.Combine(library.Scratch, "Digits"), hive = Path.Combine(library.Scratch, "hive");
        await New("install", library.TemplatesPath);
        await New("capsnet", "-o", folder);
        File.Exists(Path.Combine(folder, "Digits.csproj")).Should().BeTrue("the project is called as its folder is");
        File.ReadAllText(Path.Combine(folder, "DigitNetwork.cs")).Should().Contain("namespace Digits;");
        var project = Consumer.Adopt(library, folder);
        project.PruneOtherPlatforms();      // from restore; the build takes this platform's libtorch by itself, and so has no folder of platforms

        string build = await project.Build("-warnaserror");
        var tooEarly = () => project.Run("predict");
        var nowhere = () => project.Run("train", "nowhere");
        await tooEarly.Should().ThrowAsync<InvalidOperationException>().WithMessage("*There is no capsnet.safetensors here.*trains and writes it.*");
        await nowhere.Should().ThrowAsync<InvalidOperationException>().WithMessage("*The folder nowhere has no train-images-idx3-ubyte, packed or not.*");
        string mnist = Directory.CreateDirectory(Path.Combine(library.Scratch, "mnist")).FullName;
        WriteMnist(mnist, train: 200, test: 20);
        string read = await project.Run("train", mnist);
        File.WriteAllBytes(Path.Combine(mnist, "t10k-labels-idx1-ubyte"), [0, 0, 8]);
        var damaged = () => project.Run("train", mnist);
        await damaged.Should().ThrowAsync<InvalidOperationException>().Where(failure =>
            failure.Message.Contains("t10k-labels-idx1-ubyte is not a whole file of MNIST's.") && !failure.Message.Contains("   at "));
        string trained = await project.Run();
        string predicted = await project.Run("predict");

        build.Should().Contain("0 Warning(s)");
        Directory.GetDirectories(Path.Combine(folder, "bin"), "runtimes", SearchOption.AllDirectories).Should().BeEmpty();
        read.Should().MatchRegex(@"epoch 2: loss [\d.]+, test accuracy").And.MatchRegex(@"test image 9: \d with probability [\d.]+, label 9");
        var accuracy = Regex.Match(trained, @"epoch 2: loss [\d.]+, test accuracy (?<percent>[\d.]+)");
        accuracy.Success.Should().BeTrue("the output is:\n{0}", trained);
        double.Parse(accuracy.Groups["percent"].Value, System.Globalization.CultureInfo.InvariantCulture).Should().BeInRange(90, 100);
        trained.Should().EndWith(predicted, "the saved weights give the same predictions");
        Regex.Count(predicted, @"test image \d: (?<digit>\d) with probability [\d.]+, label \k<digit>").Should().BeGreaterThanOrEqualTo(8);

        Task<string> New(params string[] arguments) =>
            Dotnet.Run(library.Scratch, TimeSpan.FromMinutes(2), ["new", .. arguments, "--debug:custom-hive", hive]);
    }

    // Image i, a grey of its own, has the label i of 10; the images to train on are packed.
    private static void WriteMnist(string folder, byte train, byte test)
    {
        foreach (var (name, count) in ((string, byte)[])[("train", train), ("t10k", test)])
        {
            byte[] images = [0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 28, 0, 0, 0, 28, .. Enumerable.Range(0, count * 784).Select(i => (byte)(i / 784))];
            using Stream file = File.Create(Path.Combine(folder, $"{name}-images-idx3-ubyte{(name == "train" ? ".gz" : "")}"));
            using Stream target = name == "train" ? new GZipStream(file, CompressionLevel.Fastest) : file;
            target.Write(images);
            File.WriteAllBytes(Path.Combine(folder, $"{name}-labels-idx1-ubyte"), [0, 0, 8, 1, 0, 0, 0, count, .. Enumerable.Range(0, count).Select(i => (byte)(i % 10))]);
        }
    }

    [Fact]
    public async Task TemplatesPackage_Packed_HoldsSourcesAlone()
    {
        await library.PackTemplates();
        using var package = ZipFile.OpenRead(library.TemplatesPath);
        package.Entries.Select(entry => entry.FullName).Where(name => name.StartsWith("content/", StringComparison.Ordinal)).Should().BeEquivalentTo(
            "content/capsnet/.template.config/template.json", "content/capsnet/CapsNetApp.csproj", "content/capsnet/Program.cs",
            "content/capsnet/DigitNetwork.cs", "content/capsnet/DigitImages.cs");
        package.Entries.Should().NotContain(entry => entry.FullName.EndsWith(".dll", StringComparison.Ordinal));
    }
}
