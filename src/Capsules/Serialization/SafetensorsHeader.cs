using System.Buffers.Binary;
using System.Text.Json;

namespace Capsules;

/// <summary>The header of a safetensors file: parsed and checked here, so that nothing behind it needs to be.</summary>
/// <remarks>
/// The file is a little-endian uint64 N, N bytes of JSON, and the tensors' data. The JSON maps each name to dtype, shape and
/// data_offsets [begin, end) behind the header, and <c>__metadata__</c> to text by name. The ranges cover the data without holes
/// or overlaps. See https://github.com/huggingface/safetensors, "Format".
/// </remarks>
internal static class SafetensorsHeader
{
    /// <summary>What the reference implementation takes at most, in bytes.</summary>
    public const int MaxBytes = 100_000_000;

    public const int LengthBytes = sizeof(ulong);

    private const string MetadataKey = "__metadata__";

    /// <summary>Parses a header's JSON and checks it against the length of the data behind it.</summary>
    /// <exception cref="InvalidDataException">It breaks a rule of the format; the message says which.</exception>
    public static (List<SafetensorsEntry> Entries, Dictionary<string, string> Metadata) Parse(ReadOnlySpan<byte> json, long dataBytes)
    {
        if (json is [(byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n', ..])
        {
            throw new InvalidDataException("its header is not the JSON of a safetensors file, which must begin with '{'");
        }

        var (entries, metadata) = (new List<SafetensorsEntry>(), new Dictionary<string, string>());
        try
        {
            ReadAll(json, entries, metadata);
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"its header is not the JSON of a safetensors file ({failure.Message.TrimEnd('.')})", failure);
        }

        CheckRanges(entries, dataBytes);
        return (entries, metadata);
    }

    /// <summary>The first bytes of a file: length and JSON, padded so that the data begins at a multiple of 8.</summary>
    public static byte[] Format(IEnumerable<SafetensorsEntry> entries, IReadOnlyDictionary<string, string>? metadata)
    {
        using var stream = new MemoryStream();
        stream.Write(stackalloc byte[LengthBytes]);
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                writer.WriteStartObject(MetadataKey);
                foreach (var (key, value) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal))
                {
                    writer.WriteString(key, value);
                }

                writer.WriteEndObject();
            }

            foreach (var entry in entries)
            {
                writer.WriteStartObject(entry.Name);
                writer.WriteString("dtype", entry.Dtype);
                WriteNumbers(writer, "shape", entry.Shape);
                WriteNumbers(writer, "data_offsets", [entry.Offset, entry.Offset + entry.Bytes]);
                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        }

        while (stream.Length % 8 != 0)
        {
            stream.WriteByte((byte)' ');
        }

        var bytes = stream.ToArray();
        if (bytes.Length - LengthBytes > MaxBytes)
        {
            throw new ArgumentException(
                $"The names, shapes and metadata take {bytes.Length - LengthBytes:N0} bytes, and a safetensors header holds {MaxBytes:N0} at most. Shorten the metadata.");
        }

        BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)(bytes.Length - LengthBytes));
        return bytes;
    }

    private static void WriteNumbers(Utf8JsonWriter writer, string name, IEnumerable<long> numbers)
    {
        writer.WriteStartArray(name);
        foreach (var number in numbers)
        {
            writer.WriteNumberValue(number);
        }

        writer.WriteEndArray();
    }

    private static void ReadAll(ReadOnlySpan<byte> json, List<SafetensorsEntry> entries, Dictionary<string, string> metadata)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 4 });
        var names = new HashSet<string>();
        Expect(ref reader, JsonTokenType.StartObject);
        while (NextKey(ref reader, names, "the header") is { } name)
        {
            if (name == MetadataKey)
            {
                ReadMetadata(ref reader, metadata);
            }
            else
            {
                entries.Add(ReadEntry(ref reader, name));
            }
        }

        if (reader.Read())
        {
            throw new JsonException("something follows the header's object");
        }
    }

    private static void ReadMetadata(ref Utf8JsonReader reader, Dictionary<string, string> metadata)
    {
        Expect(ref reader, JsonTokenType.StartObject);
        var keys = new HashSet<string>();
        while (NextKey(ref reader, keys, MetadataKey) is { } key)
        {
            Expect(ref reader, JsonTokenType.String);
            metadata[key] = reader.GetString()!;
        }
    }

    private static SafetensorsEntry ReadEntry(ref Utf8JsonReader reader, string name)
    {
        string? dtype = null;
        List<long>? shape = null, range = null;
        var fields = new HashSet<string>();
        Expect(ref reader, JsonTokenType.StartObject);
        while (NextKey(ref reader, fields, $"'{name}'") is { } field)
        {
            switch (field)
            {
                case "dtype":
                    Expect(ref reader, JsonTokenType.String);
                    dtype = reader.GetString();
                    break;
                case "shape":
                    shape = ReadNumbers(ref reader);
                    break;
                case "data_offsets":
                    range = ReadNumbers(ref reader);
                    break;
                default:
                    throw new JsonException($"'{name}' has a field '{field}'");
            }
        }

        if (dtype is null || shape is null || range is not [var begin, var end])
        {
            throw new JsonException($"'{name}' lacks dtype, shape or its two data_offsets");
        }

        return begin <= end
            ? new SafetensorsEntry(name, dtype, shape, begin, end - begin)
            : throw new InvalidDataException($"the data of '{name}' ends before it begins");
    }

    private static List<long> ReadNumbers(ref Utf8JsonReader reader)
    {
        var numbers = new List<long>();
        Expect(ref reader, JsonTokenType.StartArray);
        while (reader.Read() && reader.TokenType == JsonTokenType.Number)
        {
            numbers.Add(reader.TryGetInt64(out var number) && number >= 0 ? number : throw new JsonException("a size or an offset is no whole number from 0 to 2^63 - 1"));
        }

        return reader.TokenType == JsonTokenType.EndArray ? numbers : throw new JsonException($"a number was expected, and there is {reader.TokenType}");
    }

    private static string? NextKey(ref Utf8JsonReader reader, HashSet<string> seen, string where)
    {
        if (!reader.Read() || reader.TokenType == JsonTokenType.EndObject)
        {
            return null;
        }

        var key = reader.GetString()!;
        return seen.Add(key) ? key : throw new JsonException($"{where} has '{key}' twice");
    }

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType type)
    {
        if (!reader.Read() || reader.TokenType != type)
        {
            throw new JsonException($"{type} was expected, and there is {reader.TokenType}");
        }
    }

    private static void CheckRanges(List<SafetensorsEntry> entries, long dataBytes)
    {
        var covered = 0L;
        foreach (var entry in entries.OrderBy(entry => entry.Offset).ThenBy(entry => entry.Bytes))
        {
            if (entry.Offset != covered)
            {
                throw new InvalidDataException(entry.Offset < covered
                    ? $"the data of '{entry.Name}' overlaps that of another tensor"
                    : $"{entry.Offset - covered:N0} bytes before the data of '{entry.Name}' belong to no tensor");
            }

            if (entry.Bytes > dataBytes - covered)
            {
                throw new InvalidDataException($"the data of '{entry.Name}' would end behind the end of the file; it is cut short");
            }

            covered += entry.Bytes;
            if (SafetensorsDtype.Bits(entry.Dtype) is { } bits && BytesOf(entry.Shape, bits) != entry.Bytes)
            {
                throw new InvalidDataException(
                    $"'{entry.Name}' is said to be {entry.Dtype} of shape {ShapeGuard.Text([.. entry.Shape])} and to have {entry.Bytes:N0} bytes, which do not go together");
            }
        }

        if (covered != dataBytes)
        {
            throw new InvalidDataException($"{dataBytes - covered:N0} bytes at its end belong to no tensor");
        }
    }

    // Null where the number is no number of whole bytes, or beyond what a file can hold.
    private static long? BytesOf(IReadOnlyList<long> shape, int bits)
    {
        var (total, limit) = ((UInt128)bits, (UInt128)long.MaxValue * 8);
        foreach (var size in shape.Where(size => size > 0))      // torch multiplies before it meets a 0, and that must not overflow
        {
            if (total > limit / (ulong)size)
            {
                return null;
            }

            total *= (ulong)size;
        }

        return shape.Contains(0) ? 0 : total % 8 == 0 ? (long)(total / 8) : null;
    }
}
