namespace Capsules.Samples;

/// <summary>CIFAR-10 in its binary version: records of a label and 32 x 32 bytes each of red, green and blue.</summary>
/// <remarks>Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. The archive's checksum is that of TensorFlow
/// Datasets.</remarks>
internal static class Cifar10
{
    public const string Name = "cifar10";

    private const int Size = 32, Channels = 3, Record = 1 + Channels * Size * Size;
    private const int MostRecords = 100_000;

    private static readonly string[] ClassNames = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

    private static readonly PublishedFile Archive =
        new("cifar-10-binary.tar.gz", 170_052_171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd");

    public static FileSet Files { get; } = new(
        "CIFAR-10", Name, "170 MB", [new("https://www.cs.toronto.edu/~kriz/")],
        [.. Enumerable.Range(1, 5).Select(batch => new DatasetFile($"data_batch_{batch}.bin", Archive)), new("test_batch.bin", Archive)])
    { Unpacked = "cifar-10-batches-bin" };

    public static DatasetKind Kind { get; } = new(
        Name, "CIFAR-10", "photographs of things and animals, 32 x 32, colour, 50,000 to train on and 10,000 to test on",
        "Krizhevsky, Nair, Hinton, https://www.cs.toronto.edu/~kriz/cifar.html, no licence stated",
        [Files], source => Load(source.Folders[0], source.Notice));

    /// <summary>Reads and checks the six files.</summary>
    /// <exception cref="UserException">A file is unreadable or damaged.</exception>
    public static ImageDataset Load(DatasetFolder folder, Action<string> notice)
    {
        var train = Files.Files.SkipLast(1).Select(file => folder.Read(file, Read)).ToList();
        var test = folder.Read(Files.Files[^1], Read);
        var isOriginal = folder.CheckOriginal(notice);
        return new ImageDataset(Name, folder.Folder, ClassNames, Split(train), Split([test]), isOriginal);
    }

    private static (byte[] Pixels, byte[] Labels) Read(DataStream file)
    {
        var content = file.TakeAll((long)MostRecords * Record, "records");
        if (content.Length == 0 || content.Length % Record != 0)
        {
            throw new InvalidDataException(
                $"{file.Name} holds {content.Length:N0} bytes, but expected were records of {Record:N0}: it is cut short or no file of " +
                "CIFAR-10's binary version.");
        }

        var labels = new byte[content.Length / Record];
        var pixels = new byte[labels.Length * (Record - 1)];
        for (var i = 0; i < labels.Length; i++)
        {
            labels[i] = content[i * Record];
            if (labels[i] >= ClassNames.Length)
            {
                throw new InvalidDataException(
                    $"{file.Name} gives image {i:N0} the label {labels[i]}, but labels are 0 to {ClassNames.Length - 1}.");
            }

            content.AsSpan(i * Record + 1, Record - 1).CopyTo(pixels.AsSpan(i * (Record - 1)));
        }

        return (pixels, labels);
    }

    private static ImageSplit Split(IReadOnlyList<(byte[] Pixels, byte[] Labels)> parts) => ImageSplit.FromArrays(
        [.. parts.SelectMany(part => part.Pixels)], [.. parts.SelectMany(part => part.Labels)], Channels, Size, Size);
}
