namespace Capsules.Samples;

/// <summary>CIFAR-10 in its binary version.</summary>
/// <remarks>The archive's checksum is that of TensorFlow Datasets.</remarks>
internal static class Cifar10
{
    public const string Name = "cifar10";

    private static readonly PublishedFile Archive =
        new("cifar-10-binary.tar.gz", 170_052_171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd");

    private static readonly CifarRecords Format = new(
        new FileSet(
            "CIFAR-10", Name, "170 MB", [new("https://www.cs.toronto.edu/~kriz/")],
            [
                .. Enumerable.Range(1, 5).Select(batch => new DatasetFile($"data_batch_{batch}.bin", Archive)),
                new("test_batch.bin", Archive),
            ])
        { Unpacked = "cifar-10-batches-bin" },
        ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]);

    public static DatasetKind Kind { get; } = new(
        Name, "CIFAR-10", "photographs of things and animals, 32 x 32, colour, 50,000 to train on and 10,000 to test on",
        "Krizhevsky, Nair, Hinton, https://www.cs.toronto.edu/~kriz/cifar.html, no licence stated",
        [Format.Files], source => Format.Load(Name, source.Folders[0], source.Notice));
}
