using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>How a network does on some images.</summary>
/// <param name="Images">How many there were.</param>
/// <param name="Wrong">How many were misclassified.</param>
/// <param name="Loss">The mean of the loss that the network is trained by, without reconstruction.</param>
/// <param name="ImagesPerSecond">The speed of this evaluation.</param>
/// <param name="NoneRight">How many had not one object classified rightly; where an image shows one, as many as are wrong.</param>
/// <param name="Objects">How many objects an image shows; it is right when all are.</param>
internal readonly record struct Evaluation(long Images, long Wrong, double Loss, double ImagesPerSecond, long NoneRight = 0, int Objects = 1)
{
    /// <summary>Which classes were read as which.</summary>
    public ConfusionMatrix? Confusion { get; init; }

    public double Accuracy => 1 - (double)Wrong / Images;

    public double Error => (double)Wrong / Images;
}

/// <summary>Measures a network on unshifted images. The decoder does not run.</summary>
internal static class Evaluator
{
    private const int BatchSize = 100;

    /// <summary>Evaluates.</summary>
    /// <param name="network">The network.</param>
    /// <param name="split">The images.</param>
    /// <param name="indices">Which of them.</param>
    /// <param name="device">Where the network is.</param>
    /// <param name="progress">Hears how many images are done.</param>
    /// <param name="cancellation">Stops between batches.</param>
    public static Evaluation Run(
        ImageNetwork network, ImageSplit split, long[] indices, Device device, Action<int>? progress = null, CancellationToken cancellation = default)
    {
        using var mode = network.Evaluating();
        using var inference = inference_mode();
        var (hits, loss, clock) = (default(Hits), 0.0, Stopwatch.StartNew());
        ConfusionMatrix? confusion = null;
        for (var start = 0; start < indices.Length; start += BatchSize)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var batch = indices.AsSpan(start, Math.Min(BatchSize, indices.Length - start));
            var (images, labels) = Batches.Take(split, batch, device);
            var output = network.call(images);
            var scores = network.Scores(output);
            var now = Hits.Count(scores, labels);
            hits = new Hits(hits.All + now.All, hits.Some + now.Some);
            if (split.Objects == 1)
            {
                (confusion ??= new ConfusionMatrix((int)scores.size(1))).Add(labels, scores.argmax(1));
            }

            loss += network.Loss(output, labels).item<float>() * (double)batch.Length;
            progress?.Invoke(start + batch.Length);
        }

        return new Evaluation(
            indices.Length, indices.Length - hits.All, loss / indices.Length, indices.Length / clock.Elapsed.TotalSeconds,
            indices.Length - hits.Some, split.Objects)
        {
            Confusion = confusion,
        };
    }
}
