using static TorchSharp.torch;

namespace Capsules;

/// <summary>The weights of any module to and from a file.</summary>
/// <remarks>
/// Written is safetensors; read are safetensors and PyTorch's own .pt files of tensors, told apart by their content. Entries are the
/// module's state dict: parameters and persistent buffers by name. Any thread may call; a module must not be used by another one while its
/// weights are loaded.
/// </remarks>
public static class Weights
{
    /// <summary>Writes a module's weights to a safetensors file, whole or not at all.</summary>
    /// <param name="module">The module, on any device.</param>
    /// <param name="path">The file, which is replaced where it exists.</param>
    /// <param name="metadata">Text by name that goes into the header. Default: none.</param>
    /// <exception cref="ArgumentException">The module has no weights, or one of a dtype that the format lacks.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be written.</exception>
    public static void Save(nn.Module module, string path, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(module);
        var state = module.state_dict();
        if (state.Count == 0)
        {
            throw new ArgumentException($"{module.GetName()} has no weights. Has RegisterComponents() been called in its constructor?", nameof(module));
        }

        Safetensors.Save(path, state, metadata);
    }

    /// <summary>Loads a file's weights into a module, each converted to the dtype and device of the module's.</summary>
    /// <param name="module">The module, whose parameters keep their identity: optimizers stay valid.</param>
    /// <param name="path">A safetensors file, or a .pt file that PyTorch wrote of a dictionary of tensors.</param>
    /// <param name="mapping">How names and layouts of another implementation become the module's. Default: they are the module's.</param>
    /// <param name="strict">Whether names and shapes must agree exactly. Default: true; nothing is loaded where they do not.</param>
    /// <param name="key">Which entry of a .pt file is the dictionary of tensors, as for <see cref="PyTorchFile.Load"/>. Default: the whole is one.</param>
    /// <returns>What was loaded and what was not.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, or has no such entry; or, with <paramref name="strict"/>, it does not fit the module: the message lists the entries.</exception>
    /// <exception cref="NotSupportedException">TorchSharp has no dtype for one of the file's tensors.</exception>
    /// <exception cref="IOException">The file is missing or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static WeightsReport Load(nn.Module module, string path, WeightsMapping? mapping = null, bool strict = true, string? key = null)
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var scope = NewDisposeScope();
        return Load(module, Read(path, key), mapping, strict, path);
    }

    /// <summary>Loads tensors into a module, each converted to the dtype and device of the module's.</summary>
    /// <param name="module">The module, whose parameters keep their identity: optimizers stay valid.</param>
    /// <param name="tensors">The tensors by name, which stay the caller's.</param>
    /// <param name="mapping">How names and layouts of another implementation become the module's. Default: they are the module's.</param>
    /// <param name="strict">Whether names and shapes must agree exactly. Default: true; nothing is loaded where they do not.</param>
    /// <returns>What was loaded and what was not.</returns>
    /// <exception cref="InvalidDataException">With <paramref name="strict"/>, they do not fit the module: the message lists the entries.</exception>
    public static WeightsReport Load(nn.Module module, IReadOnlyDictionary<string, Tensor> tensors, WeightsMapping? mapping = null, bool strict = true)
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentNullException.ThrowIfNull(tensors);
        return Load(module, tensors, mapping, strict, "The dictionary");
    }

    // Told apart by their first bytes, as are files of other formats that users try.
    private static Dictionary<string, Tensor> Read(string path, string? key)
    {
        var start = new byte[4];
        using (var file = File.OpenRead(path))
        {
            start = start[..file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        }

        return start switch
        {
            [(byte)'P', (byte)'K', 3, 4] => PyTorchFile.Load(path, key),
            [0x89, (byte)'H', (byte)'D', (byte)'F'] => throw Other("an HDF5 file, as Keras writes"),
            [0x80, 2, 0x8a, 10] => throw Other("a file of PyTorch before 1.6"),
            _ when key is not null => throw new InvalidDataException($"{path} is no .pt file and has no dictionary '{key}' in it. Leave the key out."),
            _ => Safetensors.Load(path),
        };

        InvalidDataException Other(string kind) => new(
            $"{path} is {kind}, which is not read here. Convert it to safetensors where it comes from: docs/weights.md has the lines for it.");
    }

    private static WeightsReport Load(nn.Module module, IReadOnlyDictionary<string, Tensor> tensors, WeightsMapping? mapping, bool strict, string what)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var (source, unused, failed) = (mapping ?? []).Apply(tensors);
        var state = module.state_dict();
        var (loaded, missing, mismatched) = (new List<string>(), new List<string>(), new List<string>());
        foreach (var (name, target) in state)
        {
            if (failed.TryGetValue(name, out var why))
            {
                mismatched.Add($"{name}: {why}");
            }
            else if (!source.TryGetValue(name, out var tensor))
            {
                missing.Add(name);
            }
            else if (tensor.shape.AsSpan().SequenceEqual(target.shape))
            {
                loaded.Add(name);
            }
            else
            {
                mismatched.Add($"{name}: {ShapeGuard.Text(tensor.shape)} in the file, {ShapeGuard.Text(target.shape)} in the module");
            }
        }

        var report = new WeightsReport(loaded, missing, [.. source.Keys.Concat(failed.Keys).Where(name => !state.ContainsKey(name)), .. unused], mismatched);
        if (strict && !report.IsExact)
        {
            throw new InvalidDataException(
                $"{what} does not fit {module.GetName()}, and nothing was loaded ({report.Differences}). " +
                "Give a mapping of the names, build the module in the file's sizes, or load what fits with strict: false.");
        }

        foreach (var name in loaded)
        {
            state[name].copy_(source[name]);
        }

        return report;
    }
}
