using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Capsules.Samples;

/// <summary>An array of a MATLAB file, whose numbers are all whole and from 0 to 255.</summary>
/// <param name="Dimensions">Its sizes; the first index is the fastest.</param>
/// <param name="Values">As many as the product of the sizes.</param>
internal sealed record MatArray(IReadOnlyList<long> Dimensions, byte[] Values)
{
    public string Shape => string.Join(" x ", Dimensions);
}

/// <summary>
/// Reads arrays of bytes from a MATLAB 5 file, as versions 5 to 7 of MATLAB write them: plain or zlib-packed elements, in either byte
/// order, at the top or as fields of a structure.
/// </summary>
/// <remarks>"MAT-File Format", MathWorks. A file is a header of 128 bytes and elements; an element is a type, a size and as many bytes,
/// padded to a multiple of 8. What is not asked for is passed over unread.</remarks>
internal sealed class MatFile
{
    private const uint Int8 = 1, UInt8 = 2, Int32 = 5, UInt32 = 6, Matrix = 14, Compressed = 15;
    private const int Structure = 2, MostDimensions = 8, MostFields = 100, Chunk = 1 << 16;
    private const long MostValues = 1L << 30;

    private readonly string _name;
    private readonly Stream _source;
    private readonly bool _isBigEndian, _isPacked;
    private readonly string[] _wanted;
    private readonly Dictionary<string, MatArray> _found;
    private long _position, _end;

    private MatFile(string name, Stream source, long end, bool isBigEndian, bool isPacked, string[] wanted, Dictionary<string, MatArray> found) =>
        (_name, _source, _end, _isBigEndian, _isPacked, _wanted, _found) = (name, source, end, isBigEndian, isPacked, wanted, found);

    /// <summary>Reads arrays by their names; a field of a structure is "structure.field".</summary>
    /// <exception cref="InvalidDataException">The file is damaged, or an array is missing or of another kind.</exception>
    public static IReadOnlyDictionary<string, MatArray> Read(DataStream file, params string[] names)
    {
        var header = new byte[128];
        file.Fill(header, "the header of a MATLAB file");
        var (isLittle, isBig) = (header[126] == 'I' && header[127] == 'M', header[126] == 'M' && header[127] == 'I');
        if (!isLittle && !isBig)
        {
            throw new InvalidDataException($"{file.Name} is not a MATLAB 5 file: its header does not end in IM or MI.");
        }

        if (header[isLittle ? 125 : 124] != 1)
        {
            throw new InvalidDataException(
                $"{file.Name} is a MATLAB file of version {header[isLittle ? 125 : 124]}, but version 1 is expected (" +
                "MATLAB 5 to 7, not 7.3).");
        }

        var found = new Dictionary<string, MatArray>();
        new MatFile(file.Name, file.Source, file.Possible - header.Length, isBig, isPacked: false, names, found).ReadElements();
        return names.FirstOrDefault(name => !found.ContainsKey(name)) is { } missing
            ? throw new InvalidDataException($"{file.Name} holds no array {missing}.")
            : found;
    }

    private void ReadElements()
    {
        while (_found.Count < _wanted.Length && TryTag(out var type, out var size))
        {
            var end = Inner(size);
            if (type == Matrix)
            {
                ReadMatrix(end, parent: null);
            }
            else if (type == Compressed)
            {
                if (_isPacked)
                {
                    throw Damaged("a packed element is within a packed one");
                }

                using var unpacked = new ZLibStream(new MemoryStream(Take(size)), CompressionMode.Decompress);
                var inner = new MatFile(_name, unpacked, size * DataStream.MaxRatio, _isBigEndian, isPacked: true, _wanted, _found);
                inner.ReadElements();
                continue;      // packed elements are not padded
            }

            SkipTo(end);
        }
    }

    // An array or a structure; a field has no name of its own, and its structure's and field's name is given.
    private void ReadMatrix(long end, string? parent)
    {
        var (outer, _) = (_end, _end = end);
        var flags = Element(UInt32, 8, "array flags");
        if (flags.Length != 8)
        {
            throw Damaged($"array flags take {flags.Length} bytes instead of 8");
        }

        var dimensions = Numbers(Element(Int32, 4 * MostDimensions, "dimensions"));
        var name = Text(Element(Int8, 256, "name"));
        name = parent ?? name;
        if (dimensions.Length < 2 || dimensions.Any(size => size < 0))
        {
            throw Damaged($"the array {name} has the sizes {string.Join(" x ", dimensions)}");
        }

        var isStructure = (_isBigEndian ? flags[3] : flags[0]) == Structure;
        if (isStructure && _wanted.Any(wanted => wanted.StartsWith(name + ".", StringComparison.Ordinal)))
        {
            ReadFields(name);
        }
        else if (_wanted.Contains(name))
        {
            _found[name] = new MatArray(dimensions, Bytes(name, dimensions));
        }

        _end = outer;
    }

    private void ReadFields(string name)
    {
        var lengths = Numbers(Element(Int32, 4, "field name length"));
        var names = Element(Int8, 64 * MostFields, "field names");
        if (lengths is not [> 0 and <= 64 and var length] || names.Length % length != 0)
        {
            throw Damaged($"the structure {name} has field names of no sensible length");
        }

        foreach (var field in names.Chunk((int)length).Select(Text))
        {
            if (!TryTag(out var type, out var size) || type != Matrix)
            {
                throw Damaged($"the structure {name} lacks its field {field}");
            }

            var end = Inner(size);
            if (_wanted.Contains($"{name}.{field}"))
            {
                ReadMatrix(end, $"{name}.{field}");
            }

            SkipTo(end);
        }
    }

    private byte[] Bytes(string name, long[] dimensions)
    {
        var count = dimensions.Aggregate((UInt128)1, (product, size) => UInt128.Min(product * (UInt128)size, MostValues + 1));
        if (!TryTag(out var type, out var size))
        {
            throw Damaged($"the array {name} holds no numbers");
        }

        var width = type switch { Int8 or UInt8 => 1, 3 or 4 => 2, Int32 or UInt32 or 7 => 4, 9 or 12 or 13 => 8, _ => 0 };
        if (width == 0 || count > MostValues || size != (long)count * width)
        {
            throw Damaged($"the array {name} is of {string.Join(" x ", dimensions)} values, but holds {size:N0} bytes of type {type}");
        }

        if (type == UInt8)
        {
            return Take(size);
        }

        Require(size);
        var values = new byte[(int)count];
        var buffer = new byte[Chunk];
        for (var done = 0; done < values.Length;)
        {
            var now = Math.Min(Chunk / width, values.Length - done);
            Fill(buffer.AsSpan(0, now * width));
            for (var i = 0; i < now; i++, done++)
            {
                var value = Number(type, buffer.AsSpan(i * width, width));
                values[done] = value is >= 0 and <= 255 && value == Math.Floor(value)
                    ? (byte)value
                    : throw Damaged($"the array {name} holds {value}, but expected were whole numbers from 0 to 255");
            }
        }

        return values;
    }

    private double Number(uint type, Span<byte> bytes)
    {
        if (_isBigEndian)
        {
            bytes.Reverse();
        }

        return type switch
        {
            Int8 => (sbyte)bytes[0],
            3 => BinaryPrimitives.ReadInt16LittleEndian(bytes),
            4 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
            Int32 => BinaryPrimitives.ReadInt32LittleEndian(bytes),
            UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
            7 => BinaryPrimitives.ReadSingleLittleEndian(bytes),
            9 => BinaryPrimitives.ReadDoubleLittleEndian(bytes),
            12 => BinaryPrimitives.ReadInt64LittleEndian(bytes),
            _ => BinaryPrimitives.ReadUInt64LittleEndian(bytes),
        };
    }

    // A small element of a known type, with its padding.
    private byte[] Element(uint type, int most, string what)
    {
        if (!TryTag(out var actual, out var size, out var isSmall) || actual != type || size > most)
        {
            throw Damaged($"expected were {what}, but there is an element of type {actual} and {size:N0} bytes");
        }

        var bytes = Take(size);
        Take(isSmall ? 4 - size : (8 - size % 8) % 8);
        return bytes;
    }

    private bool TryTag(out uint type, out long size) => TryTag(out type, out size, out _);

    // Type and size: 4 bytes each, or 2 each for elements of up to 4 bytes. False at the end.
    private bool TryTag(out uint type, out long size, out bool isSmall)
    {
        Span<byte> tag = stackalloc byte[4];
        (type, size, isSmall) = (0, 0, false);
        if (_end - _position < 8 || _source.ReadAtLeast(tag[..1], 1, throwOnEndOfStream: false) == 0)
        {
            return false;
        }

        _position++;
        Fill(tag[1..]);
        type = Word(tag);
        isSmall = type >> 16 != 0;
        if (isSmall)
        {
            (type, size) = (type & 0xFFFF, type >> 16);
            return size <= 4 ? true : throw Damaged($"a small element claims {size:N0} bytes");
        }

        Fill(tag);
        size = Word(tag);
        return true;
    }

    private uint Word(ReadOnlySpan<byte> bytes) =>
        _isBigEndian ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : BinaryPrimitives.ReadUInt32LittleEndian(bytes);

    private long[] Numbers(byte[] bytes) => [.. bytes.Chunk(4).Where(word => word.Length == 4).Select(word => (long)(int)Word(word))];

    private static string Text(byte[] bytes) => Encoding.ASCII.GetString(bytes).TrimEnd('\0');

    private long Inner(long size)
    {
        Require(size);
        return _position + size;
    }

    private void Require(long size)
    {
        if (size > _end - _position)
        {
            throw new InvalidDataException(
                $"{_name} is cut short or damaged: an element claims {size:N0} bytes where at most {Math.Max(0, _end - _position):N0} " +
                "can follow.");
        }
    }

    private byte[] Take(long size)
    {
        Require(size);
        var bytes = size <= MostValues ? new byte[size] : throw Damaged($"an element claims {size:N0} bytes");
        Fill(bytes);
        return bytes;
    }

    private void Fill(Span<byte> bytes)
    {
        Require(bytes.Length);
        _source.ReadExactly(bytes);
        _position += bytes.Length;
    }

    private void SkipTo(long end)
    {
        var buffer = new byte[(int)Math.Min(Chunk, Math.Max(0, end - _position))];
        while (_position < end)
        {
            Fill(buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - _position)));
        }
    }

    private InvalidDataException Damaged(string what) => new($"{_name} is damaged or not as expected: {what}.");
}
