using System.Buffers.Binary;
using System.Formats.Tar;
using System.IO.Compression;
using System.Text;

namespace Capsules.Samples.Tests;

/// <summary>Makes small files in the published formats.</summary>
internal static class SmallFiles
{
    public const string NorbTrain = "smallnorb-5x46789x9x18x6x2x96x96-training", NorbTest = "smallnorb-5x01235x9x18x6x2x96x96-testing";

    /// <summary>The files of a small whole dataset by its name on the command line: three images to train on, two to test on.</summary>
    public static IReadOnlyDictionary<string, byte[]> Of(string dataset) => dataset switch
    {
        "mnist" => IdxBytes.TinyMnist,
        "fashion-mnist" => IdxBytes.TinyMnist.ToDictionary(file => file.Key + ".gz", file => IdxBytes.Gzip(file.Value)),
        "emnist-digits" => new Dictionary<string, byte[]> { ["gzip.zip"] = Emnist("digits", [7, 0, 9], [1, 2]) },
        "emnist-letters" => new Dictionary<string, byte[]> { ["gzip.zip"] = Emnist("letters", [1, 26, 2], [3, 4]) },
        "cifar10" => new Dictionary<string, byte[]> { ["cifar-10-binary.tar.gz"] = Cifar([9, 0, 3], [1, 2]) },
        "cifar100" => new Dictionary<string, byte[]> { ["cifar-100-binary.tar.gz"] = Cifar100([99, 0, 20], [1, 2]) },
        "svhn" => new Dictionary<string, byte[]> { ["train_32x32.mat"] = Svhn([10, 1, 9]), ["test_32x32.mat"] = Svhn([2, 3]) },
        "smallnorb" => new Dictionary<string, byte[]>
        {
            [NorbTrain + "-dat.mat.gz"] = IdxBytes.Gzip(Norb(0x1E3D4C55, [3, 2, 96, 96], Ramp(3 * 2 * 96 * 96))),
            [NorbTrain + "-cat.mat.gz"] = IdxBytes.Gzip(Norb(0x1E3D4C54, [3], [4, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0])),
            [NorbTest + "-dat.mat.gz"] = IdxBytes.Gzip(Norb(0x1E3D4C55, [2, 2, 96, 96], Ramp(2 * 2 * 96 * 96))),
            [NorbTest + "-cat.mat.gz"] = IdxBytes.Gzip(Norb(0x1E3D4C54, [2], [1, 0, 0, 0, 3, 0, 0, 0])),
        },
        "affnist" => new Dictionary<string, byte[]>(IdxBytes.TinyMnist)
        {
            ["test.mat.zip"] = AffNist([1600, 2], [.. Ramp(1600), .. Ramp(1600, 7)], 8, 3),
        },
        _ => throw new ArgumentException(dataset),
    };

    /// <summary>Writes them into a folder.</summary>
    public static string Write(TemporaryFolder folder, string dataset, string within = "data")
    {
        foreach (var (name, content) in Of(dataset))
        {
            folder.Write(Path.Combine(within, name), content);
        }

        return folder.PathOf(within);
    }

    /// <summary>Bytes that go up by one, from a first.</summary>
    public static byte[] Ramp(int count, int first = 0) => [.. Enumerable.Range(first, count).Select(i => (byte)i)];

    public static byte[] Zip(params (string Name, byte[] Content)[] entries)
    {
        var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, content) in entries)
            {
                using var entry = zip.CreateEntry(name).Open();
                entry.Write(content);
            }
        }

        return stream.ToArray();
    }

    public static byte[] TarGz(params (string Name, byte[] Content)[] entries)
    {
        var stream = new MemoryStream();
        using (var tar = new TarWriter(stream, TarEntryFormat.Ustar, leaveOpen: true))
        {
            foreach (var (name, content) in entries)
            {
                tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) });
            }
        }

        return IdxBytes.Gzip(stream.ToArray());
    }

    public static byte[] Emnist(string part, byte[] train, byte[] test) => Zip(
        ($"gzip/emnist-{part}-train-images-idx3-ubyte.gz", IdxBytes.Gzip(IdxBytes.Images(train.Length))),
        ($"gzip/emnist-{part}-train-labels-idx1-ubyte.gz", IdxBytes.Gzip(IdxBytes.Labels(train))),
        ($"gzip/emnist-{part}-test-images-idx3-ubyte.gz", IdxBytes.Gzip(IdxBytes.Images(test.Length))),
        ($"gzip/emnist-{part}-test-labels-idx1-ubyte.gz", IdxBytes.Gzip(IdxBytes.Labels(test))));

    /// <summary>Training records in the first of five files, one in each of the others; the last file is for testing.</summary>
    public static byte[] Cifar(byte[] train, byte[] test) => TarGz(
    [
        ("cifar-10-batches-bin/batches.meta.txt", "airplane\n"u8.ToArray()),
        ("cifar-10-batches-bin/data_batch_1.bin", CifarRecords(train)),
        .. Enumerable.Range(2, 4).Select(batch => ($"cifar-10-batches-bin/data_batch_{batch}.bin", CifarRecords([5]))),
        ("cifar-10-batches-bin/test_batch.bin", CifarRecords(test)),
    ]);

    public static byte[] Cifar100(byte[] train, byte[] test) => TarGz(
        ("cifar-100-binary/fine_label_names.txt", "apple\n"u8.ToArray()),
        ("cifar-100-binary/test.bin", Cifar100Records(test)),
        ("cifar-100-binary/train.bin", Cifar100Records(train)));

    public static byte[] CifarRecords(byte[] labels) => [.. labels.SelectMany((label, i) => (byte[])[label, .. Ramp(3072, i)])];

    /// <summary>Records of a coarse label, always 19, and the fine ones given.</summary>
    public static byte[] Cifar100Records(byte[] labels) => [.. labels.SelectMany((label, i) => (byte[])[19, label, .. Ramp(3072, i)])];

    public static byte[] Norb(int magic, int[] sizes, byte[] values)
    {
        int[] header = [magic, sizes.Length, .. sizes, .. Enumerable.Repeat(1, Math.Max(0, 3 - sizes.Length))];
        return [.. header.SelectMany(BitConverter.GetBytes), .. values];
    }

    /// <summary>X (32 x 32 x 3 x N) and y (N x 1), each in a packed element, as SVHN has them; y of class double, stored as bytes.</summary>
    public static byte[] Svhn(byte[] labels) => Mat(
        Packed(MatArray("X", [32, 32, 3, labels.Length], Ramp(3072 * labels.Length), matClass: 9)),
        Packed(MatArray("y", [labels.Length, 1], labels, matClass: 6)));

    /// <summary>affNIST's archive: a structure of matrices, the images one column each.</summary>
    public static byte[] AffNist(int[] sizes, byte[] images, params byte[] labels) => Zip(("test.mat", Mat(Packed(MatStructure("affNISTdata",
        ("affine", MatArray("", [1, 3], new byte[24], matClass: 6, type: 9)),
        ("image", MatArray("", sizes, images)),
        ("label_int", MatArray("", [1, labels.Length], labels)))))));

    public static byte[] Mat(params byte[][] elements)
    {
        var header = new byte[128];
        Encoding.ASCII.GetBytes("MATLAB 5.0 MAT-file, made by a test").CopyTo(header, 0);
        (header[125], header[126], header[127]) = (1, (byte)'I', (byte)'M');
        return [.. header, .. elements.SelectMany(element => element)];
    }

    public static byte[] Packed(byte[] element)
    {
        var stream = new MemoryStream();
        using (var zlib = new ZLibStream(stream, CompressionLevel.Fastest, leaveOpen: true))
        {
            zlib.Write(element);
        }

        return [.. Words(15, (int)stream.Length), .. stream.ToArray()];
    }

    /// <summary>An array whose numbers are stored as a type (2: bytes; 9: doubles, given as their bytes).</summary>
    public static byte[] MatArray(string name, int[] sizes, byte[] values, int matClass = 9, int type = 2) => Element(
        14, [.. Start(name, sizes, matClass), .. Element(type, values)]);

    /// <summary>A structure of one element with fields.</summary>
    public static byte[] MatStructure(string name, params (string Field, byte[] Array)[] fields) => Element(14,
    [
        .. Start(name, [1, 1], matClass: 2),
        .. Small(5, BitConverter.GetBytes(16)),
        .. Element(1, [.. fields.SelectMany(field => Encoding.ASCII.GetBytes(field.Field.PadRight(16, '\0')))]),
        .. fields.SelectMany(field => field.Array),
    ]);

    private static byte[] Start(string name, int[] sizes, int matClass) =>
    [
        .. Element(6, [(byte)matClass, 0, 0, 0, 0, 0, 0, 0]),
        .. Element(5, [.. sizes.SelectMany(BitConverter.GetBytes)]),
        .. name.Length is > 0 and <= 4 ? Small(1, Encoding.ASCII.GetBytes(name)) : Element(1, Encoding.ASCII.GetBytes(name)),
    ];

    private static byte[] Element(int type, byte[] values) => [.. Words(type, values.Length), .. values, .. new byte[(8 - values.Length % 8) % 8]];

    private static byte[] Small(int type, byte[] values) => [.. Words(type | values.Length << 16), .. values, .. new byte[4 - values.Length]];

    private static byte[] Words(params int[] words)
    {
        var bytes = new byte[4 * words.Length];
        for (var i = 0; i < words.Length; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4 * i), words[i]);
        }

        return bytes;
    }
}
