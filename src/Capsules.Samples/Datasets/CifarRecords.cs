namespace Capsules.Samples;

/// <summary>How the CIFAR datasets lie in binary files: records of label bytes and 32 x 32 bytes each of red, green and blue.</summary>
/// <remarks>Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.</remarks>
/// <param name="Files">The files, of which the last is for testing.</param>
/// <param name="ClassNames">One for each label, in order.</param>
/// <param name="LabelBytes">How many labels a record begins with; the last of them counts.</param>
internal sealed record CifarRecords(FileSet Files, IReadOnlyList<string> ClassNames, int LabelBytes = 1)
{
    private const int Size = 32, Channels = 3, Pixels = Channels * Size * Size;
    private const int MostRecords = 100_000;

    /// <summary>Reads and checks the files.</summary>
    /// <exception cref="UserException">A file is unreadable or damaged.</exception>
    public ImageDataset Load(string name, DatasetFolder folder, Action<string> notice)
    {
        var train = Files.Files.SkipLast(1).Select(file => folder.Read(file, Read)).ToList();
        var test = folder.Read(Files.Files[^1], Read);
        var isOriginal = folder.CheckOriginal(notice);
        return new ImageDataset(name, folder.Folder, ClassNames, Split(train), Split([test]), isOriginal);
    }

    private (byte[] Pixels, byte[] Labels) Read(DataStream file)
    {
        var record = LabelBytes + Pixels;
        var content = file.TakeAll((long)MostRecords * record, "records");
        if (content.Length == 0 || content.Length % record != 0)
        {
            throw new InvalidDataException(
                $"{file.Name} holds {content.Length:N0} bytes, but expected were records of {record:N0}: it is cut short or no file of " +
                $"{Files.Title}'s binary version.");
        }

        var labels = new byte[content.Length / record];
        var pixels = new byte[labels.Length * Pixels];
        for (var i = 0; i < labels.Length; i++)
        {
            labels[i] = content[i * record + LabelBytes - 1];
            content.AsSpan(i * record + LabelBytes, Pixels).CopyTo(pixels.AsSpan(i * Pixels));
        }

        LabelChecks.Require(LabelChecks.RangeProblem<byte>(file.Name, labels, 0, (byte)(ClassNames.Count - 1)));
        return (pixels, labels);
    }

    private static ImageSplit Split(IReadOnlyList<(byte[] Pixels, byte[] Labels)> parts) => ImageSplit.FromArrays(
        [.. parts.SelectMany(part => part.Pixels)], [.. parts.SelectMany(part => part.Labels)], Channels, Size, Size);
}
