using System.Buffers.Binary;
using System.IO.Compression;
using TorchSharp;
using static TorchSharp.torch;

namespace CapsNetApp;

/// <summary>Images (count, 1, 28, 28) in [0, 1] with their labels, to train on and to test on.</summary>
internal static class DigitImages
{
    // Ten glyphs of 5 x 7, a row of bits each.
    private static readonly byte[][] Glyphs =
    [
        [14, 17, 19, 21, 25, 17, 14], [4, 12, 4, 4, 4, 4, 14], [14, 17, 1, 2, 4, 8, 31], [31, 2, 4, 2, 1, 17, 14], [2, 6, 10, 18, 31, 2, 2],
        [31, 16, 30, 1, 1, 17, 14], [6, 8, 16, 30, 17, 17, 14], [31, 1, 2, 4, 8, 8, 8], [14, 17, 17, 14, 17, 17, 14],
        [14, 17, 17, 15, 1, 2, 12],
    ];

    private static readonly string[] MnistFiles =
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

    /// <summary>Draws digits, three pixels a dot, somewhere on the image and with noise.</summary>
    public static (Tensor TrainImages, Tensor TrainLabels, Tensor TestImages, Tensor TestLabels) Draw(int train, int test)
    {
        var random = new Random(1);
        var (trainImages, trainLabels) = Some(train);
        var (testImages, testLabels) = Some(test);
        return (trainImages, trainLabels, testImages, testLabels);

        (Tensor, Tensor) Some(int count)
        {
            var (pixels, labels) = (new float[count * 784], new long[count]);
            for (var i = 0; i < count; i++)
            {
                labels[i] = random.Next(10);
                var (top, left) = (random.Next(1, 7), random.Next(1, 13));
                for (var y = 0; y < 28; y++)
                {
                    for (var x = 0; x < 28; x++)
                    {
                        var (row, column) = (y >= top ? (y - top) / 3 : 7, x >= left ? (x - left) / 3 : 5);
                        var ink = row < 7 && column < 5 && (Glyphs[labels[i]][row] >> (4 - column) & 1) == 1;
                        pixels[i * 784 + y * 28 + x] = (ink ? 0.7f : 0) + 0.3f * random.NextSingle();
                    }
                }
            }

            return (tensor(pixels, [count, 1, 28, 28]), tensor(labels));
        }
    }

    /// <summary>Reads MNIST's four files, packed or not.</summary>
    /// <exception cref="InvalidDataException">One is damaged, or something else.</exception>
    public static (Tensor TrainImages, Tensor TrainLabels, Tensor TestImages, Tensor TestLabels) FromMnist(string folder) =>
        (Images(folder, MnistFiles[0]), Labels(folder, MnistFiles[1]), Images(folder, MnistFiles[2]), Labels(folder, MnistFiles[3]));

    /// <summary>The first of MNIST's files that a folder lacks; null where it has all.</summary>
    public static string? MissingFromMnist(string folder) => MnistFiles.FirstOrDefault(
        name => !File.Exists(Path.Combine(folder, name)) && !File.Exists(Path.Combine(folder, name + ".gz")));

    private static Tensor Images(string folder, string name)
    {
        var pixels = Values(folder, name, 28, 28);
        using var raw = tensor(pixels, [pixels.Length / 784, 1, 28, 28]);
        using var white = 255.ToScalar();
        return raw.to_type(float32).div_(white);
    }

    private static Tensor Labels(string folder, string name)
    {
        using var raw = tensor(Values(folder, name));
        return raw.to_type(int64);
    }

    // The bytes after the header, whose numbers are 0x801 for labels or 0x803 for images, how many there are, and the size of each.
    private static byte[] Values(string folder, string name, params int[] size)
    {
        var bytes = Read(folder, name);
        var header = 4 * (2 + size.Length);
        var isWhole = bytes.Length >= header && Number(0) == 0x801 + size.Length && size.Index().All(side => Number(2 + side.Index) == side.Item)
            && bytes.Length - header == size.Aggregate((long)Number(1), (count, side) => count * side);
        return isWhole ? bytes[header..] : throw new InvalidDataException($"{Path.Combine(folder, name)} is not a whole file of MNIST's.");

        int Number(int index) => BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(4 * index));
    }

    private static byte[] Read(string folder, string name)
    {
        var path = Path.Combine(folder, name);
        using Stream file = File.Exists(path) ? File.OpenRead(path) : new GZipStream(File.OpenRead(path + ".gz"), CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        file.CopyTo(bytes);
        return bytes.ToArray();
    }
}
