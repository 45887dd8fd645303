namespace Capsules.Samples;

/// <summary>EMNIST, of which the digits and the letters: IDX files in one zip archive, their images stored column by column.</summary>
/// <remarks>
/// Cohen, Afshar, Tapson, van Schaik, "EMNIST: an extension of MNIST to handwritten letters", 2017, https://arxiv.org/abs/1702.05373.
/// The archive's checksum is that of TensorFlow Datasets.
/// </remarks>
internal static class Emnist
{
    private static readonly PublishedFile Archive =
        new("gzip.zip", 561_753_746, "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e");

    public static DatasetKind Digits { get; } = Make(
        "emnist-digits", "digits", "handwritten digits, 28 x 28, 240,000 to train on and 40,000 to test on",
        DigitClasses.Names, firstLabel: 0);

    public static DatasetKind Letters { get; } = Make(
        "emnist-letters", "letters", "handwritten letters, upper and lower case as one class, 28 x 28",
        [.. "ABCDEFGHIJKLMNOPQRSTUVWXYZ".Select(letter => $"{letter}")], firstLabel: 1);

    private static DatasetKind Make(string name, string part, string description, IReadOnlyList<string> classNames, byte firstLabel)
    {
        var files = new FileSet(
            "EMNIST", "emnist", "562 MB",
            [new("https://biometrics.nist.gov/cs_links/EMNIST/"), new("https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/")],
            [
                new($"emnist-{part}-train-images-idx3-ubyte", Archive), new($"emnist-{part}-train-labels-idx1-ubyte", Archive),
                new($"emnist-{part}-test-images-idx3-ubyte", Archive), new($"emnist-{part}-test-labels-idx1-ubyte", Archive),
            ])
        { Unpacked = "gzip" };
        var format = new IdxImages(name, classNames, firstLabel, IsTransposed: true);
        return new DatasetKind(
            name, "EMNIST", description,
            "NIST, https://www.nist.gov/itl/products-and-services/emnist-dataset, a work of the United States government",
            [files], source => format.Load(source.Folders[0], source.Notice));
    }
}
