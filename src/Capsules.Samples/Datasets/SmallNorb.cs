using System.Buffers.Binary;

namespace Capsules.Samples;

/// <summary>smallNORB: toys of five kinds seen by two cameras, in the binary matrix format of its authors.</summary>
/// <remarks>
/// LeCun, Huang, Bottou, "Learning Methods for Generic Object Recognition with Invariance to Pose and Lighting", 2004. A matrix is a
/// magic number for its type, the number of dimensions, at least three sizes, all 32-bit little-endian, and the values, the last
/// index fastest. The two cameras are two channels. The checksums are those of TensorFlow Datasets.
/// </remarks>
internal static class SmallNorb
{
    public const string Name = "smallnorb";

    private const int Size = 96, Cameras = 2, DefaultSize = 48, MostImages = 100_000;
    private const int ByteMatrix = 0x1E3D4C55, IntegerMatrix = 0x1E3D4C54;
    private const string Train = "smallnorb-5x46789x9x18x6x2x96x96-training", Test = "smallnorb-5x01235x9x18x6x2x96x96-testing";

    public static FileSet Files { get; } = new(
        "smallNORB", Name, "263 MB", [new("https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/")],
        [
            DatasetFile.Gzipped($"{Train}-dat.mat", 131_896_188, "5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873"),
            DatasetFile.Gzipped($"{Train}-cat.mat", 348, "2784e542c1922060691090952b6cd6278879a216c90f81476f0f00256d42cdaa"),
            DatasetFile.Gzipped($"{Test}-dat.mat", 130_799_817, "cf7104eed3e51174d2f65b66d1e5878b9da233b886f161b0d88f4510ba2c7474"),
            DatasetFile.Gzipped($"{Test}-cat.mat", 347, "ecaf6d5bb8c3bc5eab9cf0258f6d2198dd474e016e374836fc097f2e5ff509ff"),
        ]);

    public static DatasetKind Kind { get; } = new(
        Name, "smallNORB",
        "toys from two cameras (two channels), 48 x 48 or by --image-size up to 96 x 96, 24,300 to train on and 24,300 to test on",
        "LeCun, Huang, Bottou, https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/, for research",
        [Files], source => Load(source.Folders[0], source.Options.ImageSize ?? DefaultSize, source.Notice)) { TakesImageSize = true };

    /// <summary>Reads and checks the four files.</summary>
    /// <param name="folder">A complete folder.</param>
    /// <param name="size">Pixels a side, a divisor of 96: the mean of each square of pixels is taken.</param>
    /// <param name="notice">Receives what the user should know.</param>
    /// <exception cref="UserException">A file is unreadable or damaged, or the size is not to be had.</exception>
    public static ImageDataset Load(DatasetFolder folder, int size, Action<string> notice)
    {
        if (size < 1 || Size % size != 0)
        {
            throw new UserException($"--image-size {size} does not divide smallNORB's {Size} pixels. Give 96, 48, 32 or 24.");
        }

        var parts = Files.Files.Chunk(2).Select(pair =>
        {
            var pixels = folder.Read(pair[0], file => ReadImages(file, size));
            var labels = folder.Read(pair[1], ReadLabels);
            var images = pixels.Length / (Cameras * size * size);
            return LabelChecks.CountProblem(folder.PathOf(pair[1]), labels.Length, images, folder.PathOf(pair[0])) is { } problem
                ? throw folder.Bad(pair[1], problem)
                : (pixels, labels);
        }).ToList();
        var isOriginal = folder.CheckOriginal(notice);
        var splits = parts.Select(part => ImageSplit.FromArrays(part.pixels, part.labels, Cameras, size, size)).ToList();
        return new ImageDataset(Name, folder.Folder, ["animal", "human", "airplane", "truck", "car"], splits[0], splits[1], isOriginal);
    }

    // Image by image, so that only the small ones are ever all in memory.
    private static byte[] ReadImages(DataStream file, int size)
    {
        var sizes = ReadSizes(file, ByteMatrix, dimensions: 4);
        if (sizes is not [> 0 and <= MostImages and var count, Cameras, Size, Size])
        {
            throw new InvalidDataException(
                $"{file.Name} holds {string.Join(" x ", sizes)} values, but expected were N x {Cameras} x {Size} x {Size} for N pairs " +
                "of images.");
        }

        if ((long)count * Cameras * Size * Size > file.Possible)
        {
            throw new InvalidDataException(
                $"{file.Name} is cut short: its header promises {count:N0} pairs of images, but it can hold no more than " +
                $"{file.Possible:N0} bytes.");
        }

        var (large, small) = (new byte[Size * Size], new byte[checked(count * Cameras * size * size)]);
        for (var image = 0; image < count * Cameras; image++)
        {
            file.Fill(large, "an image");
            Shrink(large, small.AsSpan(image * size * size, size * size), size);
        }

        file.ExpectEnd($"{count:N0} pairs of images");
        return small;
    }

    private static byte[] ReadLabels(DataStream file)
    {
        var sizes = ReadSizes(file, IntegerMatrix, dimensions: 1);
        if (sizes is not [> 0 and <= MostImages and var count])
        {
            throw new InvalidDataException(
                $"{file.Name} holds {string.Join(" x ", sizes)} values, but expected was one label for each pair of images.");
        }

        var words = file.Take(4L * count, "labels");
        file.ExpectEnd($"{count:N0} labels");
        var labels = Enumerable.Range(0, count).Select(i => BinaryPrimitives.ReadInt32LittleEndian(words.AsSpan(4 * i))).ToArray();
        LabelChecks.Require(LabelChecks.RangeProblem<int>(file.Name, labels, 0, 4));
        return Array.ConvertAll(labels, label => (byte)label);
    }

    private static int[] ReadSizes(DataStream file, int magic, int dimensions)
    {
        var header = file.Take(8, "header");
        var (type, count) = (BinaryPrimitives.ReadInt32LittleEndian(header), BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(4)));
        if (type != magic || count != dimensions)
        {
            throw new InvalidDataException(
                $"{file.Name} begins as a matrix of type 0x{type:X8} with {count} dimensions, but expected were type 0x{magic:X8} and " +
                $"{dimensions}.");
        }

        var sizes = file.Take(4 * Math.Max(3, count), "sizes");      // three at least are written
        return [.. Enumerable.Range(0, count).Select(i => BinaryPrimitives.ReadInt32LittleEndian(sizes.AsSpan(4 * i)))];
    }

    private static void Shrink(ReadOnlySpan<byte> large, Span<byte> small, int size)
    {
        var factor = Size / size;
        for (var i = 0; i < small.Length; i++)
        {
            var (row, column, sum) = (i / size * factor, i % size * factor, 0);
            for (var y = 0; y < factor; y++)
            {
                foreach (var value in large.Slice((row + y) * Size + column, factor))
                {
                    sum += value;
                }
            }

            small[i] = (byte)((sum + factor * factor / 2) / (factor * factor));
        }
    }
}
