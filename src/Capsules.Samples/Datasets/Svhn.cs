namespace Capsules.Samples;

/// <summary>SVHN, cropped: house numbers from street photographs, one digit in the middle of 32 x 32 pixels, in MATLAB files.</summary>
/// <remarks>
/// Netzer, Wang, Coates, Bissacco, Wu, Ng, "Reading Digits in Natural Images with Unsupervised Feature Learning", 2011. A file holds X
/// (32 x 32 x 3 x N) and y (N x 1) with 10 for the digit 0. The checksums are those of TensorFlow Datasets. The 531,131 further
/// training images of extra_32x32.mat are left out.
/// </remarks>
internal static class Svhn
{
    public const string Name = "svhn";

    private const int Size = 32, Channels = 3;

    public static FileSet Files { get; } = new(
        "SVHN", Name, "246 MB", [new("http://ufldl.stanford.edu/housenumbers/")],
        [
            DatasetFile.Plain("train_32x32.mat", 182_040_794, "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"),
            DatasetFile.Plain("test_32x32.mat", 64_275_384, "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b"),
        ]);

    public static DatasetKind Kind { get; } = new(
        Name, "SVHN", "digits of house numbers, cropped to 32 x 32, colour, 73,257 to train on and 26,032 to test on",
        "Netzer and others, http://ufldl.stanford.edu/housenumbers/, for non-commercial use only",
        [Files], source => Load(source.Folders[0], source.Notice));

    /// <summary>Reads and checks the two files.</summary>
    /// <exception cref="UserException">A file is unreadable or damaged.</exception>
    public static ImageDataset Load(DatasetFolder folder, Action<string> notice)
    {
        var (train, test) = (folder.Read(Files.Files[0], Read), folder.Read(Files.Files[1], Read));
        var isOriginal = folder.CheckOriginal(notice);
        return new ImageDataset(Name, folder.Folder, DigitClasses.Names, Split(train), Split(test), isOriginal);
    }

    private static (byte[] Pixels, byte[] Labels) Read(DataStream file)
    {
        var arrays = MatFile.Read(file, "X", "y");
        var (x, y) = (arrays["X"], arrays["y"]);
        if (x.Dimensions is not [Size, Size, Channels, > 0 and var count])
        {
            throw new InvalidDataException(
                $"{file.Name} holds X of {x.Shape} values, but expected were {Size} x {Size} x {Channels} x N for N images.");
        }

        LabelChecks.Require(
            LabelChecks.CountProblem(file.Name, y.Values.Length, count) ?? LabelChecks.RangeProblem<byte>(file.Name, y.Values, 1, 10));

        // MATLAB's first index, the row, is the fastest; ours is the last, the column.
        return (ColumnOrder.ToRows(x.Values, Size), Array.ConvertAll(y.Values, label => (byte)(label % 10)));
    }

    private static ImageSplit Split((byte[] Pixels, byte[] Labels) part) =>
        ImageSplit.FromArrays(part.Pixels, part.Labels, Channels, Size, Size);
}
