namespace Capsules.Samples;

/// <summary>One of the four files of MNIST.</summary>
/// <param name="Name">As on LeCun's page, without ".gz".</param>
/// <param name="Length">Bytes of the original file, unpacked.</param>
/// <param name="Sha256">Checksum of the original file, unpacked: packed copies differ from mirror to mirror.</param>
internal sealed record MnistFile(string Name, long Length, string Sha256)
{
    public static MnistFile TrainImages { get; } =
        new("train-images-idx3-ubyte", 47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db");

    public static MnistFile TrainLabels { get; } =
        new("train-labels-idx1-ubyte", 60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5");

    public static MnistFile TestImages { get; } =
        new("t10k-images-idx3-ubyte", 7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7");

    public static MnistFile TestLabels { get; } =
        new("t10k-labels-idx1-ubyte", 10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2");

    public static IReadOnlyList<MnistFile> All { get; } = [TrainImages, TrainLabels, TestImages, TestLabels];

    /// <summary>The names under which the file is known, the quickest to read first.</summary>
    public IEnumerable<string> Spellings
    {
        get
        {
            var dotted = Name.Replace("-idx", ".idx", StringComparison.Ordinal);
            return [Name, dotted, Name + ".gz", dotted + ".gz"];
        }
    }
}
