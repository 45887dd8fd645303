using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Attacks the first test images of a dataset and keeps what a network makes of them.</summary>
internal static class AttackRun
{
    private const int BatchSize = 50;

    /// <summary>Runs.</summary>
    /// <param name="network">The network, in evaluation mode. Its parameters will want no gradients afterwards.</param>
    /// <param name="split">The images.</param>
    /// <param name="count">How many of them.</param>
    /// <param name="epsilons">The attacks; 0 stands for clean images.</param>
    /// <param name="options">How they go.</param>
    /// <param name="device">Where the network is.</param>
    /// <param name="progress">Hears how many images are done, of count times the epsilons.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <returns>A result for each epsilon.</returns>
    public static IReadOnlyList<AttackResult> Run(
        ImageNetwork network, ImageSplit split, int count, IReadOnlyList<double> epsilons, AttackOptions options, Device device,
        Action<int>? progress = null, CancellationToken cancellation = default)
    {
        foreach (var parameter in network.parameters())
        {
            parameter.requires_grad = false;      // else each step would compute the weights' gradients too
        }

        var done = 0;
        var results = new List<AttackResult>();
        foreach (var epsilon in epsilons)
        {
            var (isRight, distances) = (new List<bool>(), new List<float>());
            foreach (var batch in Batches.InOrder(count).Chunk(BatchSize))
            {
                cancellation.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                var (images, labels) = Batches.Take(split, batch, device);
                var attacked = epsilon == 0
                    ? images
                    : AdversarialAttack.Attack(network, images, labels, epsilon, options with { Seed = options.Seed + (int)batch[0] });
                var (right, distance) = Read(network, attacked, labels);
                isRight.AddRange(right);
                distances.AddRange(distance);
                progress?.Invoke(done += batch.Length);
            }

            results.Add(new AttackResult(epsilon, [.. isRight], [.. distances]));
        }

        return results;
    }

    private static (bool[] IsRight, float[] Distances) Read(ImageNetwork network, Tensor images, Tensor labels)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var output = network.call(images);
        var right = network.Scores(output).argmax(1).eq(labels).cpu().data<bool>().ToArray();
        return (right, network.HasDecoder
            ? network.Reconstruct(output).sub(images).flatten(1).norm(1).cpu().data<float>().ToArray()
            : []);
    }
}
