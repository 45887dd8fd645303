using System.Buffers.Binary;
using System.IO.Compression;
using System.Security.Cryptography;

namespace Capsules.Samples.Tests;

/// <summary>Makes IDX files, right ones and wrong ones.</summary>
internal static class IdxBytes
{
    /// <summary>A header with any dimensions, then any values, whether or not they fit.</summary>
    public static byte[] Of(uint[] dimensions, byte[] values, byte type = 8)
    {
        var header = new byte[4 + 4 * dimensions.Length];
        header[2] = type;
        header[3] = (byte)dimensions.Length;
        for (var i = 0; i < dimensions.Length; i++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(4 + 4 * i), dimensions[i]);
        }

        return [.. header, .. values];
    }

    public static byte[] Images(int count, byte first = 0)
    {
        var values = new byte[count * 28 * 28];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (byte)(first + i);
        }

        return Of([(uint)count, 28, 28], values);
    }

    public static byte[] Labels(params byte[] labels) => Of([(uint)labels.Length], labels);

    public static byte[] Gzip(byte[] content)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
        {
            gzip.Write(content);
        }

        return packed.ToArray();
    }

    /// <summary>The four files of a tiny dataset of MNIST's shape: 3 images to train on, 2 to test on.</summary>
    public static IReadOnlyDictionary<string, byte[]> TinyMnist { get; } = new Dictionary<string, byte[]>
    {
        ["train-images-idx3-ubyte"] = Images(3),
        ["train-labels-idx1-ubyte"] = Labels(7, 0, 9),
        ["t10k-images-idx3-ubyte"] = Images(2, first: 100),
        ["t10k-labels-idx1-ubyte"] = Labels(1, 2),
    };

    public static void WriteTinyMnist(TemporaryFolder folder, string within = "")
    {
        foreach (var (name, content) in TinyMnist)
        {
            folder.Write(Path.Combine(within, name), content);
        }
    }

    /// <summary>Reads an IDX file as a dataset would.</summary>
    public static IdxFile Read(string path)
    {
        using var stream = DataStream.Open(path, Path.GetFileName(path));
        return stream.Guard(() => IdxFile.Read(stream));
    }

    public static string Sha256(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));
}
