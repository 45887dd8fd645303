using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>How several networks do as one.</summary>
/// <param name="Images">How many images there were.</param>
/// <param name="Wrong">How many of them the ensemble misclassifies.</param>
/// <param name="MembersWrong">How many of them each network does alone.</param>
internal sealed record EnsembleResult(long Images, long Wrong, IReadOnlyList<long> MembersWrong)
{
    public double Error => (double)Wrong / Images;
}

/// <summary>
/// Several networks that vote by the sum of their scores, which for capsule networks are the lengths of their class capsules: how the
/// seven networks of the 2017 paper's CIFAR-10 result are taken together (section 7).
/// </summary>
internal static class Ensemble
{
    private const int BatchSize = 100;

    /// <summary>Measures the networks, alone and together.</summary>
    /// <param name="networks">The networks, for the same images and classes.</param>
    /// <param name="split">The images.</param>
    /// <param name="indices">Which of them.</param>
    /// <param name="device">Where the networks are.</param>
    /// <param name="progress">Hears how many images are done.</param>
    /// <param name="cancellation">Stops between batches.</param>
    public static EnsembleResult Run(
        IReadOnlyList<ImageNetwork> networks, ImageSplit split, long[] indices, Device device, Action<int>? progress = null, CancellationToken cancellation = default)
    {
        using var inference = inference_mode();
        var (wrong, alone) = (0L, new long[networks.Count]);
        foreach (var network in networks)
        {
            network.eval();
        }

        for (var start = 0; start < indices.Length; start += BatchSize)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var (images, labels) = Batches.Take(split, indices.AsSpan(start, Math.Min(BatchSize, indices.Length - start)), device);
            var scores = networks.Select(network => network.Scores(network.call(images))).ToArray();
            for (var i = 0; i < scores.Length; i++)
            {
                alone[i] += Wrong(scores[i], labels);
            }

            wrong += Wrong(stack(scores).sum(dim: 0), labels);
            progress?.Invoke((int)(start + labels.size(0)));
        }

        return new EnsembleResult(indices.Length, wrong, alone);
    }

    private static long Wrong(Tensor scores, Tensor labels) => labels.size(0) - Hits.Count(scores, labels).All;
}
