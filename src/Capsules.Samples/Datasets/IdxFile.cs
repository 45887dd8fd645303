using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Capsules.Samples;

/// <summary>The unsigned bytes of an IDX file, the format of MNIST and of the datasets made in its image.</summary>
/// <remarks>
/// Layout: two zero bytes, the type of the values (8: unsigned byte), the number of dimensions, each dimension as a big-endian 32-bit
/// number, then the values, the last dimension fastest. http://yann.lecun.com/exdb/mnist/
/// </remarks>
/// <param name="Dimensions">The sizes, the number of items first.</param>
/// <param name="Values">As many bytes as the product of the dimensions.</param>
/// <param name="Sha256">Of the whole unpacked file, in lower-case hexadecimal digits.</param>
internal sealed record IdxFile(IReadOnlyList<int> Dimensions, byte[] Values, string Sha256)
{
    private const byte UnsignedByte = 0x08;
    private const int MaxDimensions = 4;

    /// <summary>Reads an IDX file whole.</summary>
    /// <exception cref="InvalidDataException">The file is not one whole IDX file of bytes. The message says what is wrong, and not
    /// the fix, which depends on where the file lies.</exception>
    public static IdxFile Read(DataStream content)
    {
        var start = new byte[4];
        content.Fill(start, "an IDX header");
        if (start[0] != 0 || start[1] != 0)
        {
            throw new InvalidDataException(
                $"{content.Name} is not an IDX file: it begins with {Convert.ToHexString(start)}, but expected were 0000, the type and the number of dimensions.");
        }

        if (start[2] != UnsignedByte)
        {
            throw new InvalidDataException($"{content.Name} holds values of IDX type 0x{start[2]:X2}, but expected were unsigned bytes (0x08).");
        }

        if (start[3] is 0 or > MaxDimensions)
        {
            throw new InvalidDataException($"{content.Name} claims to have {start[3]} dimensions, but expected were 1 to {MaxDimensions}.");
        }

        var sizes = content.Take(4 * start[3], "dimensions");
        var dimensions = Array.ConvertAll(sizes.Chunk(4).ToArray(), size => BinaryPrimitives.ReadUInt32BigEndian(size));
        var what = $"{string.Join(" x ", dimensions)} values";
        var values = content.Take(Product(dimensions), what);
        content.ExpectEnd($"its {what}");

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(start);
        hash.AppendData(sizes);
        hash.AppendData(values);
        return new IdxFile(Array.ConvertAll(dimensions, size => (int)size), values, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    // Any product beyond what a file may hold is as bad as any other: it need not be exact, and must not wrap around.
    private static long Product(uint[] dimensions)
    {
        var product = (UInt128)1;
        foreach (var size in dimensions)
        {
            product *= size; // four factors of 32 bits fit into 128
        }

        // A size of zero must not hide another that no int holds.
        return dimensions.Any(size => size > int.MaxValue) ? long.MaxValue : (long)UInt128.Min(product, long.MaxValue);
    }
}
