using static TorchSharp.torch;

namespace Capsules;

/// <summary>Tensors by name to and from a safetensors file, the format of Hugging Face that PyTorch, JAX and others read safely.</summary>
/// <remarks>The format is described at https://github.com/huggingface/safetensors. For modules see <see cref="Weights"/>. Any thread may call.</remarks>
public static class Safetensors
{
    /// <summary>Writes tensors to a file, whole or not at all: an existing file stays as it is until the new one is complete.</summary>
    /// <param name="path">The file, which is replaced where it exists.</param>
    /// <param name="tensors">The tensors by name, of any shape, strides and device.</param>
    /// <param name="metadata">Text by name that goes into the header. Default: none.</param>
    /// <exception cref="ArgumentException">A name occurs twice or is reserved, a tensor is null or disposed, or the format has no such dtype.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be written.</exception>
    public static void Save(string path, IEnumerable<KeyValuePair<string, Tensor>> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(tensors);

        // Larger elements first keeps every tensor aligned; then by name, so that equal tensors give equal files.
        var sorted = Checked(tensors).OrderByDescending(item => item.Tensor.element_size()).ThenBy(item => item.Name, StringComparer.Ordinal).ToList();
        var (entries, offset) = (new List<SafetensorsEntry>(), 0L);
        foreach (var (name, dtype, tensor) in sorted)
        {
            var bytes = checked(tensor.numel() * tensor.element_size());
            entries.Add(new SafetensorsEntry(name, dtype, tensor.shape, offset, bytes));
            offset += bytes;
        }

        var header = SafetensorsHeader.Format(entries, metadata);
        WholeFile.Write(path, stream =>
        {
            stream.Write(header);
            foreach (var (_, _, tensor) in sorted)
            {
                using var scope = NewDisposeScope();
                var plain = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous();      // one at a time, so a copy exists of one only
                TensorMemory.Visit(plain, (bytes, _) => stream.Write(bytes));
            }
        });
    }

    /// <summary>Reads all tensors of a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="device">Where they go. Default: the CPU.</param>
    /// <returns>New tensors by name, which the caller owns.</returns>
    /// <exception cref="IOException">The file is missing or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    /// <exception cref="InvalidDataException">It is no safetensors file, or a damaged one.</exception>
    /// <exception cref="NotSupportedException">TorchSharp has no dtype for one of them; <see cref="SafetensorsFile"/> reads the others.</exception>
    public static Dictionary<string, Tensor> Load(string path, Device? device = null)
    {
        using var file = SafetensorsFile.Open(path);
        using var scope = NewDisposeScope();      // disposes what was read where reading fails
        var tensors = file.Entries.ToDictionary(entry => entry.Name, entry => file.Read(entry.Name, device));
        foreach (var tensor in tensors.Values)
        {
            tensor.MoveToOuterDisposeScope();
        }

        return tensors;
    }

    private static List<(string Name, string Dtype, Tensor Tensor)> Checked(IEnumerable<KeyValuePair<string, Tensor>> tensors)
    {
        var (result, names) = (new List<(string, string, Tensor)>(), new HashSet<string>());
        foreach (var (name, tensor) in tensors)
        {
            if (string.IsNullOrEmpty(name) || name == "__metadata__" || !names.Add(name))
            {
                throw new ArgumentException($"Each tensor needs a name of its own other than __metadata__, but there is '{name}'.", nameof(tensors));
            }

            if (tensor is null || tensor.IsInvalid)
            {
                throw new ArgumentException($"The tensor '{name}' is null or disposed.", nameof(tensors));
            }

            result.Add((name, SafetensorsDtype.Name(tensor.dtype) ?? throw new ArgumentException(
                $"The tensor '{name}' is of dtype {tensor.dtype}, which a safetensors file cannot hold. Convert it first.", nameof(tensors)), tensor));
        }

        return result;
    }
}
