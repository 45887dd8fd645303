using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>
/// Training on translated digits, testing on affinely transformed ones: how well does a network know a digit in a pose that it never saw?
/// </summary>
/// <remarks>
/// <para>Sabour, Frosst, Hinton, 2017, section 5.1: "expanded MNIST", each digit of MNIST at every place within 6 pixels of the middle
/// of 40 x 40 pixels (mnist_shift.py --shift=6 --pad=6), and for testing affNIST (Tieleman, 2013).</para>
/// <para>"affnist" takes the test digits from affNIST's own file; "affnist-like" makes them: ours, with what affNIST's page names
/// (rotation, shear, scale, translation that keeps the digit in sight), so results on it compare with no published ones.</para>
/// </remarks>
internal static class AffineMnist
{
    public const string Name = "affnist", LikeName = "affnist-like";

    private const int Pixels = TranslatedSplit.Canvas * TranslatedSplit.Canvas;
    private const string Images = "affNISTdata.image", Labels = "affNISTdata.label_int";

    /// <summary>affNIST's test digits, all in one file. The checksum is that of TensorFlow Datasets.</summary>
    public static FileSet Files { get; } = new(
        "affNIST", Name, "122 MB", [new("https://www.cs.toronto.edu/~tijmen/affNIST/32x/transformed/")],
        [new("test.mat", new PublishedFile(
            "test.mat.zip", 121_743_191, "2cde38ec83ee2ebfd7b901f8be5a09efb17a1bda04771f9b4905751eb945c01a"))]);

    public static DatasetKind Kind { get; } = new(
        Name, "affNIST", "trains on MNIST's digits translated in 40 x 40, tests on affNIST's 320,000 affinely transformed ones",
        "Tieleman, https://www.cs.toronto.edu/~tijmen/affNIST/, no licence stated; and MNIST", [Mnist.Files, Files],
        source => Mnist.Load(source.Folders[0], source.Notice).Remade(mnist =>
        {
            mnist.Test.Dispose();
            return new ImageDataset(Name, $"{mnist.Source} translated and {source.Folders[1].Folder}", mnist.ClassNames,
                new TranslatedSplit(mnist.Train.Images, mnist.Train.Labels), Load(source.Folders[1], source.Notice));
        }))
    { Augmentation = Samples.Augmentation.None };

    public static DatasetKind Like { get; } = new(
        LikeName, "affNIST-like digits",
        "trains on MNIST's digits translated in 40 x 40, tests on affinely transformed ones; ours, not affNIST",
        "made from MNIST after Sabour, Frosst, Hinton 2017, section 5.1, and affNIST", [Mnist.Files],
        source => Mnist.Load(source.Folders[0], source.Notice).Remade(mnist => new ImageDataset(
            LikeName, $"{mnist.Source} translated and transformed", mnist.ClassNames,
            new TranslatedSplit(mnist.Train.Images, mnist.Train.Labels), new AffineSplit(mnist.Test.Images, mnist.Test.Labels))))
    { Augmentation = Samples.Augmentation.None };

    /// <summary>Reads affNIST's test digits.</summary>
    /// <exception cref="UserException">The file is unreadable or damaged.</exception>
    public static ImageSplit Load(DatasetFolder folder, Action<string> notice)
    {
        var (pixels, labels) = folder.Read(Files.Files[0], file =>
        {
            var arrays = MatFile.Read(file, Images, Labels);
            var (images, classes) = (arrays[Images], arrays[Labels]);
            if (images.Dimensions is not [Pixels, > 0 and var count])
            {
                throw new InvalidDataException(
                    $"{file.Name} holds images of {images.Shape} values, but expected were {Pixels} x N for N images.");
            }

            LabelChecks.Require(
                LabelChecks.CountProblem(file.Name, classes.Values.Length, count) ??
                LabelChecks.RangeProblem<byte>(file.Name, classes.Values, 0, 9));
            return (images.Values, classes.Values);
        });
        folder.CheckOriginal(notice);

        // A column of the matrix is an image, row by row.
        return ImageSplit.FromArrays(pixels, labels, channels: 1, TranslatedSplit.Canvas, TranslatedSplit.Canvas);
    }
}

/// <summary>Stored digits at every place within 6 pixels of the middle of 40 x 40 pixels: 169 variations of each.</summary>
internal sealed record TranslatedSplit(Tensor Images, Tensor Labels) : MadeSplit(Images, Labels)
{
    public const int Canvas = Size + 2 * Pad;

    private const int Size = 28, Pad = 6, Places = 2 * Pad + 1;

    public override long Variations => Places * Places;

    public override ImageShape Shape => new(1, Canvas, Canvas);

    public override string Recipe => $"translated by up to {Pad} in {Canvas} x {Canvas}";

    protected override void Make(long address, Span<byte> target, Span<long> labels)
    {
        // Variation 0 is the middle one, and the others follow in order from there.
        var (digit, place) = (address % Count, (int)((address / Count + Variations / 2) % Variations));
        Paste(Stored(digit), Size, target, Canvas, place / Places, place % Places);
        labels[0] = Classes[digit];
    }
}
