using System.IO.Compression;

namespace Capsules.Samples.Tests;

/// <summary>Whatever is wrong with a data file, the answer is a UserException of a sentence or two, or the data where the damage does not show.</summary>
public sealed class DamagedFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Datasets =>
        ["mnist", "fashion-mnist", "emnist-digits", "emnist-letters", "cifar10", "cifar100", "svhn", "smallnorb", "affnist"];

    [Theory]
    [MemberData(nameof(Datasets))]
    public void Dataset_FileCutShort_IsAUserException(string name)
    {
        foreach (var (file, content) in SmallFiles.Of(name))
        {
            foreach (var length in (int[])[0, 1, 3, 9, content.Length / 3, content.Length / 2, content.Length - 9, content.Length - 1])
            {
                if (length >= 0 && length < content.Length)
                {
                    // Of an archive the end of its last block may be missing unnoticed, and of a gzip file its checksum.
                    var error = ErrorOf(name, file, content[..length]);
                    (error ?? file).Should().StartWith(error is null && length >= content.Length - 9 ? file : _folder.PathOf("data"), $"{file} ends after {length} bytes");
                }
            }
        }
    }

    // Also within what is packed: there no checksum of the archive stands in the way.
    [Theory]
    [MemberData(nameof(Datasets))]
    public void Dataset_BytesChanged_IsAUserExceptionOrData(string name)
    {
        var random = new DeterministicRandom(1, (ulong)name.Length);
        foreach (var (file, content) in SmallFiles.Of(name))
        {
            for (var round = 0; round < 25; round++)
            {
                var changed = content.ToArray();
                changed[random.NextInt32(round % 2 == 0 ? Math.Min(300, changed.Length) : changed.Length)] = (byte)random.NextInt32(256);
                ErrorOf(name, file, changed);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Datasets))]
    public void Dataset_FileOfAnotherKind_IsAUserException(string name)
    {
        foreach (var file in SmallFiles.Of(name).Keys)
        {
            ErrorOf(name, file, "<html>Please log in</html>"u8.ToArray()).Should().StartWith(_folder.PathOf("data"));
            ErrorOf(name, file, IdxBytes.Gzip(new byte[5_000_000])).Should().StartWith(_folder.PathOf("data"));      // a gzip bomb
        }
    }

    [Theory]
    [InlineData("svhn", "train_32x32.mat")]
    [InlineData("smallnorb", SmallFiles.NorbTrain + "-dat.mat.gz")]
    [InlineData("affnist", "test.mat.zip")]
    public void Dataset_HeaderPromisesTheMoon_IsRefusedBeforeAllocation(string name, string file)
    {
        var content = name switch
        {
            "svhn" => SmallFiles.Mat(SmallFiles.MatArray("X", [32, 32, 3, 1_000_000_000], new byte[8])),
            "affnist" => SmallFiles.AffNist([1600, 1_300_000], new byte[8], 8, 3),
            _ => SmallFiles.Norb(0x1E3D4C55, [90_000, 2, 96, 96], new byte[8]),
        };
        var before = GC.GetAllocatedBytesForCurrentThread();

        ErrorOf(name, file, content).Should().StartWith(_folder.PathOf("data"));

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().BeLessThan(50_000_000);
    }

    [Theory]
    [InlineData("fashion-mnist", "train-labels-idx1-ubyte.gz", "label 10, but labels are 0 to 9")]
    [InlineData("emnist-letters", "gzip.zip", "label 0, but labels are 1 to 26")]
    [InlineData("cifar10", "cifar-10-binary.tar.gz", "label 10, but labels are 0 to 9")]
    [InlineData("cifar100", "cifar-100-binary.tar.gz", "label 100, but labels are 0 to 99")]
    [InlineData("svhn", "train_32x32.mat", "label 0, but labels are 1 to 10")]
    [InlineData("smallnorb", SmallFiles.NorbTest + "-cat.mat.gz", "label 5, but labels are 0 to 4")]
    [InlineData("affnist", "test.mat.zip", "test.mat.zip (test.mat) gives image 1 the label 10, but labels are 0 to 9")]
    public void Dataset_LabelOutOfRange_IsNamed(string name, string file, string problem)
    {
        var content = name switch
        {
            "fashion-mnist" => IdxBytes.Gzip(IdxBytes.Labels(1, 2, 10)),
            "emnist-letters" => SmallFiles.Emnist("letters", [1, 0, 2], [3, 4]),
            "cifar10" => SmallFiles.Cifar([1, 10, 3], [1, 2]),
            "cifar100" => SmallFiles.Cifar100([1, 100, 3], [1, 2]),
            "svhn" => SmallFiles.Svhn([1, 0, 3]),
            "affnist" => SmallFiles.AffNist([1600, 2], SmallFiles.Ramp(3200), 8, 10),
            _ => IdxBytes.Gzip(SmallFiles.Norb(0x1E3D4C54, [2], [1, 0, 0, 0, 5, 0, 0, 0])),
        };

        ErrorOf(name, file, content).Should().Contain(problem).And.Contain("Replace it with a fresh copy");
    }

    [Theory]
    [InlineData(new[] { 1600, 3 }, 2, "holds 2 labels, but 3 images")]
    [InlineData(new[] { 1599, 2 }, 2, "holds images of 1599 x 2 values, but expected were 1600 x N for N images")]
    [InlineData(new[] { 40, 40, 2 }, 2, "holds images of 40 x 40 x 2 values")]
    [InlineData(new[] { 1600, 0 }, 0, "holds images of 1600 x 0 values")]
    public void AffNist_CountsThatDoNotFit_AreNamed(int[] sizes, int labels, string problem) =>
        ErrorOf("affnist", "test.mat.zip", SmallFiles.AffNist(sizes, new byte[sizes.Aggregate(1, (a, b) => a * b)], new byte[labels]))
            .Should().Contain(problem).And.Contain("Replace it with a fresh copy");

    [Fact]
    public void AffNist_WithoutItsStructure_SaysWhatIsMissing()
    {
        ErrorOf("affnist", "test.mat.zip", SmallFiles.Zip(("test.mat", SmallFiles.Mat(SmallFiles.MatArray("X", [1, 1], [1])))))
            .Should().Contain("affNISTdata");
        ErrorOf("affnist", "test.mat.zip", SmallFiles.Zip(("../test.mat", [1]), ("other.mat", [1]))).Should().Contain("test.mat");
    }

    [Fact]
    public void Archive_WithPathsOutOfIt_WritesNothingAndIsReadAsItIs()
    {
        var entries = new (string, byte[])[] { ("../../evil", [1]), ("/etc/evil", [1]), ("../data_batch_1.bin", SmallFiles.CifarRecords([1])) };
        var content = SmallFiles.TarGz(entries);
        ErrorOf("cifar10", "cifar-10-binary.tar.gz", content).Should().Contain("holds no data_batch_2.bin");
        ErrorOf("emnist-digits", "gzip.zip", SmallFiles.Zip(entries)).Should().Contain("holds no emnist-digits-train-images-idx3-ubyte");

        Directory.EnumerateFiles(_folder.Path, "*", SearchOption.AllDirectories).Select(Path.GetFileName)
            .Should().BeEquivalentTo("cifar-10-binary.tar.gz", "gzip.zip");
    }

    // A link in an archive is no file, whatever it points to.
    [Fact]
    public void Archive_WithALinkInPlaceOfAFile_IsRefused()
    {
        var stream = new MemoryStream();
        using (var tar = new System.Formats.Tar.TarWriter(stream, leaveOpen: true))
        {
            tar.WriteEntry(new System.Formats.Tar.PaxTarEntry(System.Formats.Tar.TarEntryType.SymbolicLink, "data_batch_1.bin") { LinkName = "/etc/passwd" });
        }

        ErrorOf("cifar10", "cifar-10-binary.tar.gz", IdxBytes.Gzip(stream.ToArray())).Should().Contain("holds no data_batch_1.bin");
    }

    // The message, or null where the data was read; any other exception fails the test.
    private string? ErrorOf(string name, string file, byte[] content)
    {
        var data = SmallFiles.Write(_folder, name);
        _folder.Write(Path.Combine("data", file), content);
        using var download = new DatasetDownload();
        try
        {
            var catalog = new DatasetCatalog(new DataFolders(data, null, null), download, _ => { });
            catalog.OpenAsync(name, null, TestContext.Current.CancellationToken).GetAwaiter().GetResult().Dispose();
            return null;
        }
        catch (UserException failure)
        {
            failure.Message.Should().NotContain("\n").And.NotContain("   at ");
            return failure.Message;
        }
    }
}
