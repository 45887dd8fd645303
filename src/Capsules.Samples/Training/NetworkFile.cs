using System.Globalization;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>
/// A trained network in one small file: safetensors of its weights without what training needs, and in the metadata what it is,
/// what it was trained on and how, and its figures. Commands take it in place of a run.
/// </summary>
internal static class NetworkFile
{
    public const string Extension = ".safetensors";

    /// <summary>What stands for the network that is shipped with the program.</summary>
    public const string Pretrained = "pretrained";

    private const string Description = "checkpoint", Decoder = "decoder.";

    /// <summary>Where the shipped network lies.</summary>
    public static string PretrainedPath { get; } = Path.Combine(AppContext.BaseDirectory, "Pretrained", $"efficient-mnist{Extension}");

    /// <summary>Writes the network of a run.</summary>
    /// <param name="run">The run folder, of which the best checkpoint is taken, or a checkpoint file.</param>
    /// <param name="path">The file to write.</param>
    /// <param name="withDecoder">Whether its decoder goes with it, which of small networks is the larger part.</param>
    /// <exception cref="UserException">There is no such run, or the file cannot be written.</exception>
    public static void Save(string run, string path, bool withDecoder = true)
    {
        var (checkpoint, network) = Checkpoint.Load(RunFolder.BestIn(run), CPU);
        using (network)
        {
            var result = Directory.Exists(run) ? RunFolder.Open(run).ReadResult() : null;

            // A run that went on since has another best checkpoint perhaps, of which the result says nothing.
            Save(checkpoint, network, path, withDecoder, result?.BestEpoch != checkpoint.State.History.Count ? null : new Dictionary<string, string>
            {
                ["test error"] = string.Create(CultureInfo.InvariantCulture, $"{result!.BestError:p2}"),
                ["test images"] = string.Create(CultureInfo.InvariantCulture, $"{result.TestImages}"),
            });
        }
    }

    /// <summary>Writes a network.</summary>
    /// <param name="checkpoint">What it is of.</param>
    /// <param name="network">The network.</param>
    /// <param name="path">The file to write.</param>
    /// <param name="withDecoder">Whether its decoder goes with it.</param>
    /// <param name="figures">What was measured, for readers of the metadata. Default: nothing.</param>
    /// <exception cref="UserException">The file cannot be written.</exception>
    public static void Save(
        Checkpoint checkpoint, ImageNetwork network, string path, bool withDecoder = true, IReadOnlyDictionary<string, string>? figures = null)
    {
        var weights = network.state_dict().Where(entry => withDecoder || !IsOfDecoder(entry.Key)).ToDictionary();
        var metadata = new Dictionary<string, string>(figures ?? new Dictionary<string, string>())
        {
            ["network"] = NetworkCatalog.Get(checkpoint.Options.Model).Title,
            ["dataset"] = checkpoint.Dataset.Name,
            ["epochs"] = checkpoint.State.History.Count.ToString(CultureInfo.InvariantCulture),
            [Description] = JsonSerializer.Serialize(checkpoint, RunJson.Options),
        };
        try
        {
            Safetensors.Save(path, weights, metadata);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{path} cannot be written: {failure.Message} Give another file.", failure);
        }
    }

    /// <summary>Whether a path is that of such a file, by its name.</summary>
    public static bool IsOne(string path) => path.EndsWith(Extension, StringComparison.OrdinalIgnoreCase);

    /// <summary>Reads a file's description and network.</summary>
    /// <exception cref="UserException">The file is missing, damaged, or of another program.</exception>
    public static (Checkpoint Checkpoint, ImageNetwork Network) Load(string path, Device device)
    {
        if (!File.Exists(path))
        {
            throw new UserException(path == PretrainedPath
                ? "No trained network is shipped with this build of the program. Give a run that train made."
                : $"There is no file {path}. Give a run folder that train made, or a file that holds a trained network.");
        }

        ImageNetwork? network = null;
        try
        {
            using var scope = NewDisposeScope();
            var checkpoint = Describe(path, out var hasDecoder);
            network = (hasDecoder ? checkpoint : checkpoint with { Options = checkpoint.Options with { ReconstructionWeight = 0 } }).MakeNetwork();
            Weights.Load(network, path);
            network.to(device);
            return (checkpoint, network);
        }
        catch (Exception failure)
        {
            network?.Dispose();
            throw failure switch
            {
                InvalidDataException or NotSupportedException => new UserException(failure.Message, failure),
                JsonException => new UserException($"{path} has a damaged description: {failure.Message} Use another copy of it.", failure),
                IOException or UnauthorizedAccessException => new UserException($"{path} cannot be read: {failure.Message}", failure),
                _ => failure,
            };
        }
    }

    private static Checkpoint Describe(string path, out bool hasDecoder)
    {
        using var file = SafetensorsFile.Open(path);
        hasDecoder = file.Entries.Any(entry => IsOfDecoder(entry.Name));
        if (!file.Metadata.TryGetValue(Description, out var json)
            || JsonSerializer.Deserialize<Checkpoint>(json, RunJson.Options) is not { Options: not null, Dataset: not null, State: not null } checkpoint)
        {
            throw new UserException($"{path} does not say which network its weights are of. Give a file that this program's export made.");
        }

        try
        {
            checkpoint.CheckValues();
            return checkpoint;
        }
        catch (InvalidDataException failure)
        {
            throw new UserException($"{path} has a damaged description: {failure.Message}. Use another copy of it.", failure);
        }
    }

    private static bool IsOfDecoder(string name) => name.StartsWith(Decoder, StringComparison.Ordinal);
}
