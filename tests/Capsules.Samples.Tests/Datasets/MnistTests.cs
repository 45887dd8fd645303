using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests;

public sealed class MnistTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly List<string> _notices = [];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Mnist_WholeFolder_GivesItsImagesAndLabels()
    {
        IdxBytes.WriteTinyMnist(_folder);

        using var mnist = Load();

        mnist.Name.Should().Be("mnist");
        mnist.Source.Should().Be(_folder.Path);
        (mnist.Shape, mnist.Classes).Should().Be((new ImageShape(1, 28, 28), 10));
        mnist.Train.Images.shape.Should().Equal(3, 1, 28, 28);
        mnist.Train.Images.dtype.Should().Be(ScalarType.Byte);
        mnist.Train.Images.bytes.ToArray().Should().Equal(IdxBytes.TinyMnist["train-images-idx3-ubyte"][16..]);
        mnist.Train.Labels.data<long>().Should().Equal(7, 0, 9);
        mnist.Test.Images.bytes.ToArray().Should().Equal(IdxBytes.TinyMnist["t10k-images-idx3-ubyte"][16..]);
        mnist.Test.Labels.data<long>().Should().Equal(1, 2);
    }

    [Fact]
    public void Mnist_FilesOfAnotherContent_AreTakenWithANotice()
    {
        IdxBytes.WriteTinyMnist(_folder);

        Load().Dispose();

        _notices.Should().Equal(
            $"The files in {_folder.Path} are well-formed but not the original MNIST (checksums differ): they are used as they are.");
    }

    [Fact]
    public void Mnist_PackedOrDottedNames_AreFound()
    {
        _folder.Write("train-images-idx3-ubyte.gz", IdxBytes.Gzip(IdxBytes.Images(1)));
        _folder.Write("train-labels.idx1-ubyte", IdxBytes.Labels(4));
        _folder.Write("t10k-images.idx3-ubyte.gz", IdxBytes.Gzip(IdxBytes.Images(2)));
        _folder.Write("t10k-labels-idx1-ubyte", IdxBytes.Labels(5, 6));

        using var mnist = Load();

        mnist.Train.Labels.data<long>().Should().Equal(4);
        mnist.Test.Labels.data<long>().Should().Equal(5, 6);
    }

    [Fact]
    public void DatasetFolder_FilesInItsFolderMnist_AreFound()
    {
        IdxBytes.WriteTinyMnist(_folder, within: "mnist");

        var found = DatasetFolder.Search(Mnist.Files, _folder.Path);

        found.IsComplete.Should().BeTrue();
        found.Folder.Should().Be(_folder.PathOf("mnist"));
    }

    // Datasets share file names: what lies in the folder itself may be another one.
    [Fact]
    public void DatasetFolder_FilesInBothPlaces_ThoseInTheFolderOfTheNameCount()
    {
        IdxBytes.WriteTinyMnist(_folder);
        IdxBytes.WriteTinyMnist(_folder, within: "mnist");

        DatasetFolder.Search(Mnist.Files, _folder.Path).Folder.Should().Be(_folder.PathOf("mnist"));
        DatasetFolder.Search(FashionMnist.Files, _folder.Path).Folder.Should().Be(_folder.Path);
    }

    [Fact]
    public void DatasetFolder_NothingThere_IsTheFolderThatWasGiven() =>
        DatasetFolder.Search(Mnist.Files, _folder.Path).Folder.Should().Be(_folder.Path);

    [Fact]
    public void DatasetFolder_PartOfTheFiles_NamesTheMissingOnes()
    {
        _folder.Write("train-images-idx3-ubyte", IdxBytes.Images(1));
        _folder.Write("t10k-labels-idx1-ubyte.gz", IdxBytes.Labels(1));

        var found = DatasetFolder.Search(Mnist.Files, _folder.Path);

        found.IsComplete.Should().BeFalse();
        found.Missing.Select(file => file.Name).Should().Equal("train-labels-idx1-ubyte", "t10k-images-idx3-ubyte");
    }

    [Fact]
    public void Mnist_DamagedFile_SaysWhereToGetAFreshOne()
    {
        IdxBytes.WriteTinyMnist(_folder);
        var path = _folder.Write("t10k-images-idx3-ubyte", IdxBytes.Images(2)[..1000]);

        ErrorOfLoad().Should().Be(
            $"{path} is cut short: it promises 1,568 bytes of 2 x 28 x 28 values, but can hold no more than 1,000. "
            + "Replace it with a fresh copy, for example from https://ossci-datasets.s3.amazonaws.com/mnist/t10k-images-idx3-ubyte.gz.");
    }

    [Fact]
    public void Mnist_DamagedFileInTheCache_SaysToDeleteIt()
    {
        IdxBytes.WriteTinyMnist(_folder);
        var path = _folder.Write("train-labels-idx1-ubyte", [1, 2, 3]);

        ErrorOfLoad(isCache: true).Should().Be(
            $"{path} is cut short: expected were 4 bytes of an IDX header, but it ends after 3. Delete the file and run again to download it anew.");
    }

    [Fact]
    public void Mnist_ImagesOfAnotherSize_AreRefused()
    {
        IdxBytes.WriteTinyMnist(_folder);
        var path = _folder.Write("train-images-idx3-ubyte", IdxBytes.Of([3, 32, 32], new byte[3 * 32 * 32]));

        ErrorOfLoad().Should().StartWith($"{path} holds 3 x 32 x 32 values, but expected were N x 28 x 28 for N images. Replace it ");
    }

    [Fact]
    public void Mnist_NoImages_AreRefused()
    {
        IdxBytes.WriteTinyMnist(_folder);
        var path = _folder.Write("train-images-idx3-ubyte", IdxBytes.Of([0, 28, 28], []));

        ErrorOfLoad().Should().StartWith($"{path} holds 0 x 28 x 28 values, but expected were N x 28 x 28 for N images. Replace it ");
    }

    [Fact]
    public void Mnist_LabelsInPlaceOfImages_AreRefused()
    {
        IdxBytes.WriteTinyMnist(_folder);
        var path = _folder.Write("train-images-idx3-ubyte", IdxBytes.Labels(1, 2, 3));

        ErrorOfLoad().Should().StartWith($"{path} holds 3 values, but expected were N x 28 x 28 for N images. Replace it ");
    }

    [Fact]
    public void Mnist_ImagesInPlaceOfLabels_AreRefused()
    {
        IdxBytes.WriteTinyMnist(_folder);
        var path = _folder.Write("t10k-labels-idx1-ubyte", IdxBytes.Images(2));

        ErrorOfLoad().Should().StartWith($"{path} holds 2 x 28 x 28 values, but expected was one label for each image. Replace it ");
    }

    [Fact]
    public void Mnist_FewerLabelsThanImages_AreRefused()
    {
        IdxBytes.WriteTinyMnist(_folder);
        var path = _folder.Write("train-labels-idx1-ubyte", IdxBytes.Labels(1, 2));

        ErrorOfLoad().Should().StartWith($"{path} holds 2 labels, but {_folder.PathOf("train-images-idx3-ubyte")} holds 3 images. Replace it ");
    }

    [Fact]
    public void Mnist_LabelAboveNine_IsRefused()
    {
        IdxBytes.WriteTinyMnist(_folder);
        var path = _folder.Write("train-labels-idx1-ubyte", IdxBytes.Labels(1, 2, 10));

        ErrorOfLoad().Should().StartWith($"{path} gives image 2 the label 10, but labels are 0 to 9. Replace it ");
    }

    [Fact]
    public void Mnist_UnreadableFile_SaysToCheckPermissions()
    {
        IdxBytes.WriteTinyMnist(_folder);

        // Opened by another for itself alone: the one way to be unreadable that a privileged user meets as well.
        var path = _folder.PathOf("t10k-labels-idx1-ubyte");
        using var held = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);

        ErrorOfLoad().Should().Match($"{path} cannot be read (*). Check its permissions, or name another folder with --data.");
    }

    [Fact]
    public void Mnist_FailedAndDisposedLoads_LeaveNoTensor()
    {
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        IdxBytes.WriteTinyMnist(_folder);

        Load().Dispose();
        _folder.Write("t10k-labels-idx1-ubyte", IdxBytes.Labels(1));
        ErrorOfLoad();

        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(before);
    }

    [Fact]
    public void Mnist_Original_IsRecognisedAndWhole()
    {
        var folder = RealMnist.FolderOrSkip();

        using var mnist = Mnist.Load(folder, _notices.Add);

        _notices.Should().BeEmpty("every checksum must be the original's");
        mnist.Train.Images.shape.Should().Equal(60_000, 1, 28, 28);
        mnist.Test.Images.shape.Should().Equal(10_000, 1, 28, 28);
        mnist.Train.Labels.data<long>().Take(10).Should().Equal(5, 0, 4, 1, 9, 2, 1, 3, 1, 4);
        using var mean = mnist.Train.Images.mean([0L, 1, 2, 3], type: ScalarType.Float64);
        (mean.item<double>() / 255).Should().BeApproximately(0.1307, 0.0001);
    }

    private ImageDataset Load(bool isCache = false) => Mnist.Load(DatasetFolder.Search(Mnist.Files, _folder.Path, isCache), _notices.Add);

    private string ErrorOfLoad(bool isCache = false)
    {
        var load = () => Load(isCache);
        return load.Should().Throw<UserException>().Which.Message;
    }
}
