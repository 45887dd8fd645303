using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>What a network makes of some images: for each the probabilities of all classes, and which class it is.</summary>
/// <param name="Probabilities">Of every image, one for each class.</param>
/// <param name="Labels">The classes that they are.</param>
internal sealed record Predictions(float[][] Probabilities, long[] Labels)
{
    private const int BatchSize = 100;

    public int Count => Labels.Length;

    /// <summary>The predicted class of an image.</summary>
    public int Predicted(int image) => Array.IndexOf(Probabilities[image], Probabilities[image].Max());

    public bool IsRight(int image) => Predicted(image) == Labels[image];

    /// <summary>The wrongly classified images, those first in which the network believed its mistake most.</summary>
    public IReadOnlyList<int> Mistakes =>
        [.. Enumerable.Range(0, Count).Where(image => !IsRight(image)).OrderByDescending(image => Probabilities[image].Max())];

    /// <summary>Classifies the first images of a split. The network is in evaluation mode.</summary>
    public static Predictions Of(
        ImageNetwork network, ImageSplit split, int count, Device device, Action<int>? progress = null, CancellationToken cancellation = default)
    {
        using var inference = inference_mode();
        var (probabilities, labels) = (new List<float[]>(count), new List<long>(count));
        foreach (var batch in Batches.InOrder(count).Chunk(BatchSize))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var (images, classes) = Batches.Take(split, batch, device);
            var values = network.Probabilities(network.call(images)).cpu();
            probabilities.AddRange(values.contiguous().data<float>().ToArray().Chunk((int)values.size(1)));
            labels.AddRange(classes.cpu().data<long>());
            progress?.Invoke(labels.Count);
        }

        return new Predictions([.. probabilities], [.. labels]);
    }
}
