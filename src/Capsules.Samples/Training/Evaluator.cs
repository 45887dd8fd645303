using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>How a network does on some images.</summary>
/// <param name="Images">How many there were.</param>
/// <param name="Wrong">How many were misclassified.</param>
/// <param name="Loss">The mean of the loss that the network is trained by, without reconstruction.</param>
/// <param name="ImagesPerSecond">The speed of this evaluation.</param>
internal readonly record struct Evaluation(long Images, long Wrong, double Loss, double ImagesPerSecond)
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
        var wasTraining = network.training;
        network.eval();
        using var inference = inference_mode();
        var (wrong, loss, clock) = (0L, 0.0, Stopwatch.StartNew());
        ConfusionMatrix? confusion = null;
        for (var start = 0; start < indices.Length; start += BatchSize)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var batch = indices.AsSpan(start, Math.Min(BatchSize, indices.Length - start));
            var (images, labels) = Batches.Take(split, batch, device);
            var output = network.call(images);
            var scores = network.Scores(output);
            var predicted = scores.argmax(1);
            wrong += predicted.ne(labels).sum().item<long>();
            if (labels.dim() == 1)      // one object in an image
            {
                (confusion ??= new ConfusionMatrix((int)scores.size(1))).Add(labels, predicted);
            }

            loss += network.Loss(output, labels).item<float>() * (double)batch.Length;
            progress?.Invoke(start + batch.Length);
        }

        network.train(wasTraining);
        return new Evaluation(indices.Length, wrong, loss / indices.Length, indices.Length / clock.Elapsed.TotalSeconds) { Confusion = confusion };
    }
}
