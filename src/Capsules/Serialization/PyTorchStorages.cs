using System.IO.Compression;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>The storages of a PyTorch file, each read once, and the tensors that view them.</summary>
internal sealed class PyTorchStorages : IDisposable
{
    private static readonly Dictionary<string, (ScalarType Type, int Bytes)> Elements = new()
    {
        ["FloatStorage"] = (ScalarType.Float32, 4), ["DoubleStorage"] = (ScalarType.Float64, 8), ["HalfStorage"] = (ScalarType.Float16, 2),
        ["BFloat16Storage"] = (ScalarType.BFloat16, 2), ["LongStorage"] = (ScalarType.Int64, 8), ["IntStorage"] = (ScalarType.Int32, 4),
        ["ShortStorage"] = (ScalarType.Int16, 2), ["CharStorage"] = (ScalarType.Int8, 1), ["ByteStorage"] = (ScalarType.Byte, 1),
        ["BoolStorage"] = (ScalarType.Bool, 1), ["ComplexFloatStorage"] = (ScalarType.ComplexFloat32, 8),
        ["ComplexDoubleStorage"] = (ScalarType.ComplexFloat64, 16),
    };

    private readonly ZipArchive _zip;
    private readonly string _folder;
    private readonly long _fileBytes;
    private readonly Dictionary<string, Tensor> _read = [];

    /// <param name="zip">The file's contents.</param>
    /// <param name="fileBytes">The file's length: nothing in it that is stored plain is longer, whatever it claims.</param>
    public PyTorchStorages(ZipArchive zip, long fileBytes)
    {
        (_zip, _fileBytes) = (zip, fileBytes);
        var pickle = zip.Entries.FirstOrDefault(entry => entry.FullName.EndsWith("/data.pkl", StringComparison.Ordinal))
            ?? throw new InvalidDataException("it has no data.pkl. Save it with torch.save of PyTorch 1.6 or later");
        _folder = pickle.FullName[..^"data.pkl".Length];
        if (zip.GetEntry($"{_folder}byteorder") is { } order && !Content(order).AsSpan().SequenceEqual("little"u8))
        {
            throw new InvalidDataException("it was written on a big-endian machine");
        }
    }

    /// <summary>The bytes of those storages that were asked for.</summary>
    public long Bytes => _read.Values.Sum(storage => storage.numel() * storage.element_size());

    /// <summary>The pickle, whole.</summary>
    public byte[] Pickle() => Content(_zip.GetEntry($"{_folder}data.pkl")!);

    /// <summary>What the pickle's machine asks for: a storage by its persistent id, or the result of a known function.</summary>
    public object Resolve(PickleCall call) => call switch
    {
        { Module: "persistent", Arguments: ["storage", PickleName { Module: "torch" } type, string key, _, long count] } => Storage(type.Name, key, count),
        { Module: "torch._utils", Name: "_rebuild_tensor_v2", Arguments: [Tensor storage, long offset, object?[] size, object?[] stride, .. var rest] } =>
            rest.ElementAtOrDefault(2) is null or Dictionary<object, object?> { Count: 0 }
                ? View(storage, offset, Numbers(size), Numbers(stride))
                : throw new InvalidDataException(
                    "one of its tensors is conjugated or negated by a mark, beside what is stored. Save tensor.resolve_conj().resolve_neg() in PyTorch"),
        { Module: "torch._utils", Name: "_rebuild_parameter", Arguments: [Tensor data, ..] } => data,
        { Module: "collections", Name: "OrderedDict", Arguments: [] } => new Dictionary<object, object?>(),
        _ => throw new InvalidDataException(
            $"it asks for {call.Module}.{call.Name}, and nothing but dictionaries of tensors is read (a file is never executed). Save model.state_dict() in PyTorch"),
    };

    public void Dispose()
    {
        foreach (var storage in _read.Values)
        {
            storage.Dispose();
        }
    }

    private Tensor Storage(string type, string key, long count)
    {
        var (dtype, elementBytes) = Elements.TryGetValue(type, out var found)
            ? found
            : throw new NotSupportedException($"TorchSharp has no dtype for PyTorch's {type}.");
        if (_read.TryGetValue(key, out var known))
        {
            return known.dtype == dtype && known.numel() == count ? known : throw new InvalidDataException($"its storage '{key}' is announced in two ways");
        }

        var entry = _zip.GetEntry($"{_folder}data/{key}") ?? throw new InvalidDataException($"its storage '{key}' is missing");
        var bytes = checked(count * elementBytes);
        if (count < 0 || bytes != Bounded(entry))
        {
            throw new InvalidDataException($"its storage '{key}' has {entry.Length:N0} bytes where {bytes:N0} were announced");
        }

        var tensor = empty(count, dtype: dtype);
        using var stream = entry.Open();
        TensorMemory.Visit(tensor, (piece, _) => ReadExactly(stream, piece, key));
        return _read[key] = tensor;
    }

    private static Tensor View(Tensor storage, long offset, long[] size, long[] stride)
    {
        if (size.Length != stride.Length || offset < 0 || size.Concat(stride).Any(number => number < 0) || LastIndex(offset, size, stride) >= storage.numel())
        {
            throw new InvalidDataException("one of its tensors reaches beyond its storage");
        }

        if (size.Aggregate((UInt128)1, (product, length) => UInt128.Min(product * (ulong)length, long.MaxValue)) > (UInt128)storage.numel())
        {
            throw new InvalidDataException("one of its tensors shows elements of its storage many times over, as an expanded one does");
        }

        return storage.as_strided(size, stride, offset);
    }

    // -1 for an empty tensor, which may view any storage.
    private static long LastIndex(long offset, long[] size, long[] stride)
    {
        if (size.Contains(0))
        {
            return -1;
        }

        var last = (UInt128)offset;
        for (var i = 0; i < size.Length; i++)
        {
            last = UInt128.Min(last + (UInt128)(size[i] - 1) * (ulong)stride[i], long.MaxValue);      // a product is below 2^126
        }

        return (long)last;
    }

    private static long[] Numbers(object?[] values) =>
        [.. values.Select(value => value is long number ? number : throw new InvalidDataException("a size or a stride of its tensors is no number"))];

    // A storage is stored plain. One that is compressed could announce more than the file holds.
    private long Bounded(ZipArchiveEntry entry) => entry.CompressedLength == entry.Length && entry.Length <= _fileBytes
        ? entry.Length
        : throw new InvalidDataException($"its {entry.FullName} is compressed, as torch.save leaves nothing, or longer than the file");

    private byte[] Content(ZipArchiveEntry entry)
    {
        var length = Bounded(entry);
        var bytes = length <= Array.MaxLength ? new byte[length] : throw new InvalidDataException($"its {entry.FullName} is of {length:N0} bytes");
        using var stream = entry.Open();
        ReadExactly(stream, bytes, entry.FullName);
        return bytes;
    }

    private static void ReadExactly(Stream stream, Span<byte> bytes, string what)
    {
        if (stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length)
        {
            throw new InvalidDataException($"its {what} is cut short");
        }
    }
}
