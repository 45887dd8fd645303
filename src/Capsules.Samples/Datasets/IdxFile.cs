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
    private const long MaxValues = 1L << 30;

    /// <summary>Reads an IDX file whole.</summary>
    /// <exception cref="InvalidDataException">The file is not one whole IDX file of bytes. The message says what is wrong, and not
    /// the fix, which depends on where the file lies.</exception>
    public static IdxFile Read(DataStream content)
    {
        var (path, stream, isPacked, stored) = (content.Name, content.Source, content.IsPacked, content.Possible);
        var (header, dimensions) = ReadHeader(path, stream);
        var shape = string.Join(" x ", dimensions);

        // The header is not to be trusted with an allocation before it agrees with the file.
        var count = Product(dimensions);
        var possible = stored - header.Length;
        if (count > MaxValues)
        {
            throw new InvalidDataException($"{path} claims to hold {shape} values, but at most {MaxValues:N0} are expected.");
        }

        if (count > possible)
        {
            throw new InvalidDataException(
                $"{path} is cut short: its header promises {shape} = {count:N0} bytes, but {(isPacked ? "its packed size allows" : "it holds")} {Math.Max(0, possible):N0}.");
        }

        var values = new byte[count];
        var got = stream.ReadAtLeast(values, values.Length, throwOnEndOfStream: false);
        if (got < count)
        {
            throw new InvalidDataException($"{path} is cut short: its header promises {shape} = {count:N0} bytes, but it holds {got:N0}.");
        }

        if (stream.ReadByte() >= 0)
        {
            throw new InvalidDataException($"{path} goes on after the {shape} = {count:N0} bytes that its header promises.");
        }

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(header);
        hash.AppendData(values);
        return new IdxFile(Array.ConvertAll(dimensions, size => (int)size), values, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    private static (byte[] Header, uint[] Dimensions) ReadHeader(string path, Stream stream)
    {
        var start = new byte[4];
        var got = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        if (got < start.Length)
        {
            throw new InvalidDataException($"{path} is not an IDX file: it holds {got} bytes, but the header alone has at least 8.");
        }

        if (start[0] != 0 || start[1] != 0)
        {
            throw new InvalidDataException($"{path} is not an IDX file: it begins with {Convert.ToHexString(start)}, but expected were 0000, the type and the number of dimensions.");
        }

        if (start[2] != UnsignedByte)
        {
            throw new InvalidDataException($"{path} holds values of IDX type 0x{start[2]:X2}, but expected were unsigned bytes (0x08).");
        }

        if (start[3] is 0 or > MaxDimensions)
        {
            throw new InvalidDataException($"{path} claims to have {start[3]} dimensions, but expected were 1 to {MaxDimensions}.");
        }

        var sizes = new byte[4 * start[3]];
        got = stream.ReadAtLeast(sizes, sizes.Length, throwOnEndOfStream: false);
        if (got < sizes.Length)
        {
            throw new InvalidDataException($"{path} is cut short: it ends after {4 + got} bytes, within its header of {4 + sizes.Length}.");
        }

        var dimensions = new uint[start[3]];
        for (var i = 0; i < dimensions.Length; i++)
        {
            dimensions[i] = BinaryPrimitives.ReadUInt32BigEndian(sizes.AsSpan(4 * i));
        }

        return ([.. start, .. sizes], dimensions);
    }

    // Any product beyond the limit is as bad as any other: it need not be exact, and must not wrap around.
    private static long Product(uint[] dimensions)
    {
        var product = (UInt128)1;
        foreach (var size in dimensions)
        {
            product *= size; // four factors of 32 bits fit into 128
        }

        // A size of zero must not hide another that no int holds.
        return dimensions.Any(size => size > MaxValues) ? long.MaxValue : (long)UInt128.Min(product, long.MaxValue);
    }
}
