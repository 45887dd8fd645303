using System.Globalization;
using Spectre.Console;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>A trained network and the test images that it is looked at with: what the commands that draw pictures work on.</summary>
internal sealed class Inspection(
    IAnsiConsole console, Checkpoint checkpoint, ImageNetwork network, ImageDataset dataset, Device device, string output) : IDisposable
{
    public IAnsiConsole Console => console;

    public Checkpoint Checkpoint => checkpoint;

    /// <summary>In evaluation mode.</summary>
    public ImageNetwork Network => network;

    public ImageDataset Dataset => dataset;

    public Device Device => device;

    /// <summary>Whether each image shows two objects, so that labels are (B, 2).</summary>
    public bool HasPairs => dataset.Test.Objects == 2;

    /// <summary>What a picture's note says of its network: "CapsNet (2017) after 3 epochs on mnist".</summary>
    public string Subject =>
        $"{NetworkCatalog.Get(checkpoint.Options.Model).Title} after {Epochs(checkpoint.State.History.Count)} on {checkpoint.Dataset.Name}";

    /// <summary>The class capsules of the network.</summary>
    /// <exception cref="UserException">It has none.</exception>
    public ClassCapsules Capsules => network as ClassCapsules ?? throw new UserException(
        $"{NetworkCatalog.Get(checkpoint.Options.Model).Title} has no class capsules whose lengths and couplings could be drawn. Give a run of --model {NetworkCatalog.Default}.");

    /// <summary>Throws unless the network reconstructs.</summary>
    /// <exception cref="UserException">It does not.</exception>
    public void RequireDecoder()
    {
        if (!network.HasDecoder)
        {
            throw new UserException(
                "The run's network has no decoder, so it reconstructs nothing. " +
                "Give a run of a capsule network that was trained with --reconstruction-weight above 0.");
        }
    }

    /// <summary>Some test images (B, C, H, W) with their labels.</summary>
    public ImageBatch Take(params long[] indices) => Batches.Take(dataset.Test, indices, device);

    /// <summary>What the network makes of the first test images; all of them where <paramref name="count"/> is null.</summary>
    public Predictions Predict(int? count, CancellationToken cancellation)
    {
        var images = (int)Math.Min(count ?? long.MaxValue, dataset.Test.Count);
        return new TrainingDisplay(console).TrackImages(
            "test", images, report => Predictions.Of(network, dataset.Test, images, device, report, cancellation));
    }

    /// <summary>The index of the test image that the options ask for.</summary>
    /// <param name="index">An index, or null.</param>
    /// <param name="className">A class, of which the first image that the network recognises is taken; null for the first class.</param>
    /// <exception cref="UserException">There is no such image or class.</exception>
    public long Find(long? index, string? className)
    {
        if (index is { } given)
        {
            return given < dataset.Test.Count ? given : throw new UserException(
                $"There is no test image {given}: {dataset.Name} has {RunReport.Count(dataset.Test.Count)}, counted from 0. Give a smaller --index.");
        }

        var label = className is null ? 0 : dataset.ClassNames.ToList().IndexOf(className);
        if (label < 0)
        {
            throw new UserException(
                $"{dataset.Name} has no class '{className}'.{Suggestion.Sentence(className!, dataset.ClassNames)} Known: {string.Join(", ", dataset.ClassNames)}.");
        }

        var ofClass = dataset.Test.Labels.data<long>().Select((value, i) => (value, i: (long)i))
            .Where(pair => pair.value == label).Select(pair => pair.i).Take(100).ToArray();
        if (ofClass.Length == 0)
        {
            throw new UserException($"{dataset.Name} has no test image of class '{dataset.ClassNames[label]}'. Give another --digit.");
        }

        using var scope = NewDisposeScope();
        var predicted = network.Predict(Take(ofClass).Images).cpu().data<long>().ToArray();
        return ofClass[Math.Max(Array.IndexOf(predicted, label), 0)];
    }

    /// <summary>Writes a picture into the output folder and says so.</summary>
    public void Write(string name, Panel panel)
    {
        var path = PathOf(name);
        PngFile.Write(path, panel);
        console.Say(path);
    }

    /// <summary>The path of a file in the output folder, which is made where it is missing.</summary>
    /// <exception cref="UserException">The folder cannot be made.</exception>
    public string PathOf(string name)
    {
        try
        {
            return Path.Combine(Directory.CreateDirectory(output).FullName, name);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"The folder {output} cannot be made: {failure.Message} Give another folder with --output.", failure);
        }
    }

    public void Dispose()
    {
        network.Dispose();
        dataset.Dispose();
    }

    private static string Epochs(int count) => count == 1 ? "1 epoch" : string.Create(CultureInfo.InvariantCulture, $"{count} epochs");
}
