using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests;

/// <summary>Every dataset that is read from published files, from small files in the published formats.</summary>
public sealed class OtherDatasetsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly List<string> _notices = [];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("fashion-mnist", 1, 28, "Bag", "Ankle boot")]
    [InlineData("emnist-digits", 1, 28, "0", "9")]
    [InlineData("emnist-letters", 1, 28, "A", "Z")]
    [InlineData("cifar10", 3, 32, "airplane", "truck")]
    [InlineData("cifar100", 3, 32, "apple", "aquarium fish", "worm")]
    [InlineData("svhn", 3, 32, "0", "9")]
    [InlineData("smallnorb", 2, 48, "animal", "car")]
    public void Dataset_SmallFiles_AreReadWithANotice(string name, int channels, int size, params string[] classes)
    {
        using var dataset = Open(name);

        dataset.Name.Should().Be(name);
        dataset.Shape.Should().Be(new ImageShape(channels, size, size));
        dataset.ClassNames.Should().Contain(classes);
        dataset.IsOriginal.Should().BeFalse();
        dataset.Test.Images.shape.Should().Equal(2, channels, size, size);
        _notices.Should().ContainSingle().Which.Should().Contain("not the original");
    }

    [Fact]
    public void FashionMnist_InTheFolderOfMnist_IsNotMistakenForIt()
    {
        var mnist = RealMnist.FolderOrSkip().Folder;

        ((Action)(() => OpenIn(mnist, "fashion-mnist"))).Should().Throw<UserException>()
            .WithMessage($"{mnist} holds MNIST, whose files have the same names, and not Fashion-MNIST. Put Fashion-MNIST into a folder fashion-mnist *");
    }

    // Column by column in the file: what stands in its first column is the first row.
    [Fact]
    public void Emnist_StoredColumns_AreTurnedUpright()
    {
        using var dataset = Open("emnist-letters");
        using var upright = dataset.Train.Images[1, 0].contiguous();
        using var stored = tensor(SmallFiles.Ramp(28 * 28, 28 * 28)).view(28, 28).transpose(0, 1).contiguous();

        upright.Equals(stored).Should().BeTrue();
        dataset.Train.Labels.data<long>().Should().Equal(0, 25, 1);
    }

    [Fact]
    public void Cifar10_Records_AreLabelThenRedGreenBlue()
    {
        using var dataset = Open("cifar10");

        dataset.Train.Labels.data<long>().Should().Equal(9, 0, 3, 5, 5, 5, 5);
        dataset.Train.Images[1].contiguous().bytes.ToArray().Should().Equal(SmallFiles.Ramp(3072, 1));
    }

    [Fact]
    public void Cifar100_Records_AreCoarseLabelFineLabelThenRedGreenBlue()
    {
        using var dataset = Open("cifar100");

        dataset.Train.Labels.data<long>().Should().Equal(99, 0, 20);
        dataset.Test.Labels.data<long>().Should().Equal(1, 2);
        dataset.Train.Images[1].contiguous().bytes.ToArray().Should().Equal(SmallFiles.Ramp(3072, 1));
        dataset.ClassNames.Should().HaveCount(100).And.OnlyHaveUniqueItems().And.BeInAscendingOrder(StringComparer.Ordinal);
    }

    // Records of CIFAR-10 are a byte shorter.
    [Fact]
    public void Cifar100_RecordsOfCifar10_AreRefused()
    {
        var folder = SmallFiles.Write(_folder, "cifar100");
        _folder.Write(Path.Combine("data", "train.bin"), SmallFiles.CifarRecords([1, 2]));

        ((Action)(() => OpenIn(folder, "cifar100"))).Should().Throw<UserException>()
            .WithMessage("*train.bin holds 6,146 bytes, but expected were records of 3,074: it is cut short or no file of CIFAR-100's binary version.*");
    }

    [Fact]
    public void Cifar10_UnpackedFiles_AreFoundWhereTheArchivePutsThem()
    {
        var place = Path.Combine("cifar10", "cifar-10-batches-bin");
        foreach (var batch in Enumerable.Range(1, 5))
        {
            _folder.Write(Path.Combine(place, $"data_batch_{batch}.bin"), SmallFiles.CifarRecords([(byte)batch]));
        }

        _folder.Write(Path.Combine(place, "test_batch.bin"), SmallFiles.CifarRecords([7]));

        using var dataset = OpenIn(_folder.Path, "cifar10");

        dataset.Train.Labels.data<long>().Should().Equal(1, 2, 3, 4, 5);
        _notices.Should().ContainSingle().Which.Should().EndWith("since checksums are known only of cifar-10-binary.tar.gz: they are used as they are.");
    }

    [Fact]
    public void Svhn_MatlabOrder_BecomesChannelsRowsColumnsAndTenBecomesZero()
    {
        using var dataset = Open("svhn");

        dataset.Train.Labels.data<long>().Should().Equal(0, 1, 9);
        // X[row, column, channel, image] lies at row + 32 column + 1024 channel + 3072 image.
        dataset.Train.Images[2, 1, 5, 7].item<byte>().Should().Be(unchecked((byte)(5 + 32 * 7 + 1024 + 2 * 3072)));
    }

    [Fact]
    public void SmallNorb_HalfSize_IsTheMeanOfSquares()
    {
        using var whole = Open("smallnorb", new DatasetOptions(96));
        using var half = OpenIn(_folder.PathOf("data"), "smallnorb");

        whole.Train.Images.shape.Should().Equal(3, 2, 96, 96);
        half.Train.Labels.data<long>().Should().Equal(4, 0, 2);
        using var means = nn.functional.avg_pool2d(whole.Train.Images.to(ScalarType.Float32), 2).add(0.5f).floor().to(ScalarType.Byte);
        means.Equals(half.Train.Images).Should().BeTrue();
    }

    [Fact]
    public void SmallNorb_SizeThatDoesNotDivide_IsRefused() =>
        ((Action)(() => Open("smallnorb", new DatasetOptions(50)))).Should().Throw<UserException>()
            .WithMessage("--image-size 50 does not divide smallNORB's 96 pixels. Give 96, 48, 32 or 24.");

    [Fact]
    public void MatFile_Doubles_StructureFieldsAndBigEndian_AreRead()
    {
        var values = ((double[])[3, 255, 0]).SelectMany(BitConverter.GetBytes).ToArray();
        var structure = SmallFiles.MatStructure("s",
            ("skipped", SmallFiles.MatArray("", [1, 2], [1, 2])), ("wanted", SmallFiles.MatArray("", [3, 1], values, matClass: 6, type: 9)));
        var path = _folder.Write("a.mat", SmallFiles.Mat(SmallFiles.MatArray("other", [1, 1], [1]), SmallFiles.Packed(structure)));

        Read(path, "s.wanted")["s.wanted"].Values.Should().Equal(3, 255, 0);

        var big = new byte[128 + 8 + 16 + 16 + 8 + 8];
        (big[124], big[126], big[127]) = (1, (byte)'M', (byte)'I');
        byte[] element = [0, 0, 0, 14, 0, 0, 0, 48, 0, 0, 0, 6, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 2,
            0, 1, 0, 1, (byte)'b', 0, 0, 0, 0, 2, 0, 2, 42, 43, 0, 0];
        element.CopyTo(big, 128);
        Read(_folder.Write("b.mat", big), "b")["b"].Values.Should().Equal(42, 43);
    }

    [Theory]
    [InlineData(255.5)]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    public void MatFile_NumbersThatAreNoBytes_AreRefused(double value)
    {
        var path = _folder.Write("a.mat", SmallFiles.Mat(SmallFiles.MatArray("x", [1, 1], BitConverter.GetBytes(value), matClass: 6, type: 9)));

        ((Action)(() => Read(path, "x"))).Should().Throw<InvalidDataException>().WithMessage("*expected were whole numbers from 0 to 255.");
    }

    [Fact]
    public void MatFile_PackedWithinPackedAndEmptyFlags_AreRefused()
    {
        var array = SmallFiles.MatArray("x", [1, 1], [1]);
        var nested = _folder.Write("a.mat", SmallFiles.Mat(SmallFiles.Packed(SmallFiles.Packed(array))));
        ((Action)(() => Read(nested, "x"))).Should().Throw<InvalidDataException>().WithMessage("*a packed element is within a packed one.");

        var size = BitConverter.GetBytes(array.Length - 8 - 8);
        byte[] noFlags = [.. array[..4], .. size, .. array[8..12], 0, 0, 0, 0, .. array[24..]];      // the flags without their eight bytes
        var empty = _folder.Write("b.mat", SmallFiles.Mat(noFlags));
        ((Action)(() => Read(empty, "x"))).Should().Throw<InvalidDataException>().WithMessage("*array flags take 0 bytes instead of 8.");
    }

    [Fact]
    public void MatFile_Version73_SaysSo()
    {
        var content = SmallFiles.Mat();
        content[125] = 2;

        ((Action)(() => Read(_folder.Write("a.mat", content), "x"))).Should().Throw<InvalidDataException>().WithMessage("*(MATLAB 5 to 7, not 7.3).");
    }

    private static IReadOnlyDictionary<string, MatArray> Read(string path, string name)
    {
        using var stream = DataStream.Open(path, Path.GetFileName(path));
        return stream.Guard(() => MatFile.Read(stream, name));
    }

    private ImageDataset Open(string name, DatasetOptions? options = null) => OpenIn(SmallFiles.Write(_folder, name), name, options);

    private ImageDataset OpenIn(string folder, string name, DatasetOptions? options = null)
    {
        using var download = new DatasetDownload();
        var catalog = new DatasetCatalog(new DataFolders(folder, null, null), download, _notices.Add);
        return catalog.OpenAsync(name, options, TestContext.Current.CancellationToken).GetAwaiter().GetResult();
    }
}
