using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>A safetensors file opened for reading: its header is read and checked, and its tensors are read one by one on demand.</summary>
/// <remarks>
/// <para>The format is described at https://github.com/huggingface/safetensors. Data goes from the file straight into the tensor's
/// own memory. It is not memory-mapped: a mapped file that another process cuts short ends the program that reads it, and
/// here it is an exception.</para>
/// <para>Several threads may read at once. Disposing closes the file; tensors that were read stay.</para>
/// </remarks>
public sealed class SafetensorsFile : IDisposable
{
    private readonly SafeFileHandle _file;
    private readonly Dictionary<string, SafetensorsEntry> _entries;
    private readonly long _dataStart;

    private SafetensorsFile(string path, SafeFileHandle file, long dataStart, List<SafetensorsEntry> entries, Dictionary<string, string> metadata)
    {
        (Path, _file, _dataStart, Entries, Metadata) = (path, file, dataStart, entries, metadata);
        _entries = entries.ToDictionary(entry => entry.Name);
    }

    /// <summary>The file's path, as it was given.</summary>
    public string Path { get; }

    /// <summary>Its tensors, in the order of its header.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    /// <summary>Its metadata: text by name; empty where it has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file and checks its header.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="IOException">The file is missing or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    /// <exception cref="InvalidDataException">It is no safetensors file, or a damaged one.</exception>
    public static SafetensorsFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var file = File.OpenHandle(path);
        try
        {
            var length = RandomAccess.GetLength(file);
            Span<byte> start = stackalloc byte[SafetensorsHeader.LengthBytes];
            if (length < start.Length)
            {
                throw new InvalidDataException($"it has {length} bytes, fewer than the length of a header takes");
            }

            ReadExactly(file, start, 0);
            var size = BinaryPrimitives.ReadUInt64LittleEndian(start);
            if (size > (ulong)(length - start.Length) || size > SafetensorsHeader.MaxBytes)
            {
                throw new InvalidDataException(
                    $"its header would be {size:N0} bytes, of {length:N0} in the file and {SafetensorsHeader.MaxBytes:N0} that a header may have. " +
                    "Or it is no safetensors file: what TorchSharp's module.save wrote is read by module.load");
            }

            var json = new byte[size];
            ReadExactly(file, json, start.Length);
            var dataStart = start.Length + (long)size;
            var (entries, metadata) = SafetensorsHeader.Parse(json, length - dataStart);
            return new SafetensorsFile(path, file, dataStart, entries, metadata);
        }
        catch (InvalidDataException failure)
        {
            file.Dispose();
            throw new InvalidDataException($"{path} is not a whole safetensors file: {failure.Message}. Use another copy of it.", failure);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Reads a tensor.</summary>
    /// <param name="name">Its name, one of <see cref="Entries"/>.</param>
    /// <param name="device">Where it goes. Default: the CPU.</param>
    /// <returns>A new contiguous tensor without gradient, which the caller owns.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="KeyNotFoundException">There is none of that name.</exception>
    /// <exception cref="NotSupportedException">TorchSharp has no dtype for it.</exception>
    /// <exception cref="InvalidDataException">The file has become shorter since it was opened.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public Tensor Read(string name, Device? device = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!_entries.TryGetValue(name, out var entry))
        {
            throw new KeyNotFoundException($"{Path} has no tensor '{name}'. It has: {string.Join(", ", _entries.Keys.Take(20))}{(_entries.Count > 20 ? ", ..." : "")}.");
        }

        var type = SafetensorsDtype.Type(entry.Dtype) ?? throw new NotSupportedException(
            $"'{name}' of {Path} is of dtype {entry.Dtype}, which TorchSharp does not have. Convert it where it comes from.");
        using var scope = NewDisposeScope();
        var tensor = empty([.. entry.Shape], dtype: type);
        TensorMemory.Visit(tensor, (bytes, offset) => ReadExactly(_file, bytes, _dataStart + entry.Offset + offset, Path));
        return (device is null ? tensor : tensor.to(device)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private static void ReadExactly(SafeFileHandle file, Span<byte> bytes, long offset, string? path = null)
    {
        while (bytes.Length > 0)
        {
            var read = RandomAccess.Read(file, bytes, offset);
            if (read == 0)
            {
                throw new InvalidDataException(path is null ? "it is cut short" : $"{path} has become shorter since it was opened. Read it again when it is whole.");
            }

            bytes = bytes[read..];
            offset += read;
        }
    }
}
