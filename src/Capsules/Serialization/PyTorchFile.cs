using System.IO.Compression;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>Reads tensors from the .pt and .pth files that <c>torch.save</c> writes, without running what is in them.</summary>
/// <remarks>
/// Such a file is a zip with a pickle, which is a program for a small machine that may call anything. Here only what a dictionary of
/// tensors takes is understood, and everything else is refused by name. Files of PyTorch before 1.6 (no zip) are refused too.
/// Any thread may call.
/// </remarks>
public static class PyTorchFile
{
    // Shared weights have several names, but a small file must not ask for any amount of memory.
    private const int MostCopies = 16;

    /// <summary>Reads the tensors of a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="key">
    /// Which of its entries is the dictionary of tensors, as in a checkpoint that has "state_dict" and "epoch". Default: the whole is one.
    /// </param>
    /// <param name="device">Where the tensors go. Default: the CPU.</param>
    /// <returns>New contiguous tensors by name, without gradient, which the caller owns.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, is no such file, holds other things than tensors or copies of them many times over, or has no such entry.</exception>
    /// <exception cref="NotSupportedException">TorchSharp has no dtype for one of them.</exception>
    /// <exception cref="IOException">The file is missing or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static Dictionary<string, Tensor> Load(string path, string? key = null, Device? device = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var file = File.OpenRead(path);
        try
        {
            using var zip = new ZipArchive(file, ZipArchiveMode.Read);
            using var scope = NewDisposeScope();
            using var storages = new PyTorchStorages(zip, file.Length);
            var views = TensorsOf(Pickle.Read(storages.Pickle(), storages.Resolve), key);
            if (views.Values.Sum(view => (double)view.numel() * view.element_size()) > MostCopies * (double)storages.Bytes)
            {
                throw new InvalidDataException($"its tensors, each of which is to be one of its own, show what it stores more than {MostCopies} times over");
            }

            var result = views.ToDictionary(pair => pair.Key, pair =>
            {
                var own = pair.Value.clone().contiguous();      // one object under two names becomes two tensors
                return device is null ? own : own.to(device);
            });
            foreach (var tensor in result.Values)
            {
                tensor.MoveToOuterDisposeScope();
            }

            return result;
        }
        catch (InvalidDataException failure)
        {
            throw new InvalidDataException($"{path} cannot be read as PyTorch's file of a state dict: {failure.Message.TrimEnd('.')}.", failure);
        }
    }

    private static Dictionary<string, Tensor> TensorsOf(object? value, string? key)
    {
        var whole = value as Dictionary<object, object?> ?? throw new InvalidDataException(
            "it holds no dictionary. Save model.state_dict() in PyTorch, and not the model");
        var found = whole;
        if (key is not null)
        {
            found = whole.GetValueOrDefault(key) as Dictionary<object, object?> ?? throw new InvalidDataException(
                $"it has no dictionary '{key}'; it has {string.Join(", ", whole.Keys.Select(name => $"'{name}'"))}");
        }

        if (found.FirstOrDefault(entry => entry is not { Key: string, Value: Tensor }) is { Key: not null } other)
        {
            var dictionaries = whole.Where(entry => entry.Value is Dictionary<object, object?>).Select(entry => $"'{entry.Key}'").ToList();
            throw new InvalidDataException($"its entry '{other.Key}' is no tensor. " + (dictionaries.Count > 0
                ? $"Give one of its dictionaries, {string.Join(", ", dictionaries)}, as key"
                : "Save model.state_dict() in PyTorch"));
        }

        return found.ToDictionary(entry => (string)entry.Key, entry => (Tensor)entry.Value!);
    }
}
