namespace Capsules.Samples;

/// <summary>MNIST, or other images in MNIST's four files: 28 x 28 pixels, labels 0 to 9.</summary>
internal static class Mnist
{
    public const string Name = "mnist";

    /// <summary>What it is read from. Packed copies of its files differ from mirror to mirror, so the checksums are of what they unpack to.</summary>
    public static FileSet Files { get; } = new(
        "MNIST", "mnist", "11 MB",
        [new("https://ossci-datasets.s3.amazonaws.com/mnist/"), new("https://storage.googleapis.com/cvdf-datasets/mnist/")],
        [
            Original("train-images-idx3-ubyte", 47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
            Original("train-labels-idx1-ubyte", 60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
            Original("t10k-images-idx3-ubyte", 7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
            Original("t10k-labels-idx1-ubyte", 10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        ]);

    public static DatasetKind Kind { get; } = new(
        Name, "MNIST", "handwritten digits, 28 x 28, 60,000 to train on and 10,000 to test on",
        "LeCun, Cortes, Burges, http://yann.lecun.com/exdb/mnist/, CC BY-SA 3.0",
        [Files], source => Load(source.Folders[0], source.Notice));

    private static readonly IdxImages Format = new(Name, DigitClasses.Names);

    /// <summary>Reads and checks the four files.</summary>
    /// <param name="folder">A complete folder.</param>
    /// <param name="notice">Receives what the user should know and need not mend.</param>
    /// <exception cref="UserException">A file is unreadable, damaged or does not fit the others.</exception>
    public static ImageDataset Load(DatasetFolder folder, Action<string> notice) => Format.Load(folder, notice);

    private static DatasetFile Original(string name, long length, string sha256) => DatasetFile.Gzipped(name, length, sha256, isOfContent: true);
}
