using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>
/// A run at one moment in one file: a zip with checkpoint.json (options, dataset, state), model.dat and optimizer.dat in
/// TorchSharp's format. It is written beside its place and then moved there, so a kill never leaves half a checkpoint.
/// </summary>
internal sealed record Checkpoint(TrainingOptions Options, DatasetFacts Dataset, TrainingState State)
{
    private const int CurrentFormat = 1;
    private const string Header = "checkpoint.json", Model = "model.dat", Optimizer = "optimizer.dat";

    /// <summary>The network that the checkpoint is of, with fresh weights.</summary>
    /// <exception cref="UserException">There is no network of its name, or it has no use for such images.</exception>
    public ImageNetwork MakeNetwork()
    {
        try
        {
            return NetworkCatalog.Get(Options.Model).Make(Options, Dataset.Image, Dataset.ClassNames.Count);
        }
        catch (Exception failure) when (failure is ArgumentException or OverflowException or ExternalException)
        {
            throw new UserException(
                $"No {Options.Model} network can be made for images of {Dataset.Image} and {Dataset.ClassNames.Count} classes " +
                $"({failure.Message.Split('\n')[0].TrimEnd('.')}). Use another --model or other images.", failure);
        }
    }

    /// <summary>Throws unless its parts are there and have values that they can have: the file that they come from may be damaged.</summary>
    /// <exception cref="InvalidDataException">They do not.</exception>
    public void CheckValues()
    {
        if (this is not { Options: not null, Dataset: not null, State: not null })
        {
            throw new InvalidDataException("its description lacks parts");
        }

        Options.CheckValues();
        Dataset.CheckValues();
        State.CheckValues();
    }

    /// <summary>Writes the checkpoint.</summary>
    /// <exception cref="UserException">The file cannot be written.</exception>
    public void Save(string path, ImageNetwork network, OptimizerHelper optimizer)
    {
        var (model, state) = (Bytes(stream => network.save(stream)), Bytes(stream =>
        {
            using var writer = new BinaryWriter(stream);
            optimizer.save_state_dict(writer);
        }));
        var contents = new Contents(CurrentFormat, this, Sha256(model), Sha256(state));
        AtomicFile.Write(path, stream =>
        {
            using var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true);
            Put(zip, Header, JsonSerializer.SerializeToUtf8Bytes(contents, RunJson.Options));
            Put(zip, Model, model);
            Put(zip, Optimizer, state);
        });
    }

    /// <summary>Reads a checkpoint's description alone.</summary>
    /// <exception cref="UserException">The file is missing, damaged, or no checkpoint.</exception>
    public static Checkpoint Describe(string path) => Read(path, (_, contents) => contents.Checkpoint);

    /// <summary>Reads a checkpoint's description and its network.</summary>
    /// <param name="path">The file, which may be a <see cref="NetworkFile"/> too.</param>
    /// <param name="device">Where the network goes.</param>
    /// <exception cref="UserException">The file is missing, damaged, or no checkpoint.</exception>
    public static (Checkpoint Checkpoint, ImageNetwork Network) Load(string path, Device device)
    {
        if (NetworkFile.IsOne(path))
        {
            return NetworkFile.Load(path, device);
        }

        var (checkpoint, network, _) = LoadRun(path, device);
        return (checkpoint, network);
    }

    /// <summary>Reads all that a run goes on with: also the optimizer's state, for <see cref="Restore"/>.</summary>
    /// <exception cref="UserException">The file is missing, damaged, or no checkpoint.</exception>
    public static (Checkpoint Checkpoint, ImageNetwork Network, byte[] Optimizer) LoadRun(string path, Device device) => Read(path, (zip, contents) =>
    {
        var model = Checked(Take(zip, Model), contents.ModelSha256, Model);
        var optimizer = Checked(Take(zip, Optimizer), contents.OptimizerSha256, Optimizer);
        var network = contents.Checkpoint.MakeNetwork();
        try
        {
            network.load(new MemoryStream(model));
        }
        catch (Exception failure)
        {
            network.Dispose();
            throw new InvalidDataException($"{Model} does not fit its description: {failure.Message.Split('\n')[0]}", failure);
        }

        network.to(device);      // a device without room for it says nothing of the file
        return (contents.Checkpoint, network, optimizer);
    });

    /// <summary>Gives an optimizer over the network's parameters its state.</summary>
    public static void Restore(OptimizerHelper optimizer, byte[] state)
    {
        using var reader = new BinaryReader(new MemoryStream(state));
        optimizer.load_state_dict(reader);
    }

    private static T Read<T>(string path, Func<ZipArchive, Contents, T> read)
    {
        if (!File.Exists(path))
        {
            throw new UserException($"There is no checkpoint {path}. Give a run folder that train made, or a checkpoint file in one.");
        }

        try
        {
            using var zip = ZipFile.OpenRead(path);
            var contents = JsonSerializer.Deserialize<Contents>(Take(zip, Header), RunJson.Options) ?? throw new InvalidDataException("its description is empty");
            if (contents.Format != CurrentFormat)
            {
                throw new UserException(
                    $"{path} is a checkpoint of format {contents.Format}, and this program reads format {CurrentFormat}. Use the version that wrote it.");
            }

            (contents.Checkpoint ?? throw new InvalidDataException("its description lacks parts")).CheckValues();
            return read(zip, contents);
        }
        catch (Exception failure) when (failure is InvalidDataException or JsonException or EndOfStreamException or ArgumentException)
        {
            throw new UserException($"{path} is not a whole checkpoint ({failure.Message.TrimEnd('.')}). Use another one, or train anew.", failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{path} cannot be read: {failure.Message}", failure);
        }
    }

    // torch's writers close the stream that they are given.
    private static byte[] Bytes(Action<Stream> write)
    {
        var stream = new MemoryStream();
        write(stream);
        return stream.ToArray();
    }

    private static void Put(ZipArchive zip, string name, byte[] bytes)
    {
        using var entry = zip.CreateEntry(name, CompressionLevel.NoCompression).Open();
        entry.Write(bytes);
    }

    private static byte[] Take(ZipArchive zip, string name)
    {
        var entry = zip.GetEntry(name) ?? throw new InvalidDataException($"it has no {name}");

        // Stored plain, so that nothing in the file is longer than what it takes there, whatever it claims.
        if (entry.Length != entry.CompressedLength || entry.Length > Array.MaxLength)
        {
            throw new InvalidDataException($"{name} is packed or of {entry.Length:N0} bytes");
        }

        using var stream = entry.Open();
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return bytes.ToArray();
    }

    private static byte[] Checked(byte[] bytes, string sha256, string name) =>
        Sha256(bytes) == sha256 ? bytes : throw new InvalidDataException($"{name} does not match its checksum");

    private static string Sha256(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private sealed record Contents(int Format, Checkpoint Checkpoint, string ModelSha256, string OptimizerSha256);
}
