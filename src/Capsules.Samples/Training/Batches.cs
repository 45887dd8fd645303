using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Cuts a split into batches: shuffled for training, in order for evaluation.</summary>
internal static class Batches
{
    // Streams of randomness: what an epoch or a step draws depends on the seed and its number alone, so that a resumed run
    // draws the same with nothing to restore.
    private const ulong HoldOutStream = 1, ShuffleStream = 2, AugmentationStream = 3, DropoutStream = 4;

    /// <summary>Splits the training images for good: (held out, to train on), each as indices.</summary>
    public static (long[] HeldOut, long[] Training) HoldOut(long count, int heldOut, int seed)
    {
        var indices = Shuffled(count, new DeterministicRandom((ulong)seed, HoldOutStream));
        var size = (int)Math.Min(heldOut, count / 10);
        return (indices[..size], indices[size..]);
    }

    /// <summary>The order of the training images in an epoch.</summary>
    public static long[] Order(long[] training, int seed, int epoch)
    {
        var order = Shuffled(training.Length, new DeterministicRandom((ulong)seed, ShuffleStream, (ulong)epoch));
        for (var i = 0; i < order.Length; i++)
        {
            order[i] = training[order[i]];
        }

        return order;
    }

    /// <summary>The seed of a step's augmentation.</summary>
    public static ulong AugmentationSeed(int seed, long step) => new DeterministicRandom((ulong)seed, AugmentationStream, (ulong)step).NextUInt64();

    /// <summary>The seed of a step's dropout, for torch's generator.</summary>
    public static long DropoutSeed(int seed, long step) => (long)new DeterministicRandom((ulong)seed, DropoutStream, (ulong)step).NextUInt64();

    /// <summary>The images (B, C, H, W), as float32 in [0, 1], and labels (B) at some indices.</summary>
    public static (Tensor Images, Tensor Labels) Take(ImageSplit split, ReadOnlySpan<long> indices, Device device)
    {
        using var scope = NewDisposeScope();
        var index = tensor(indices.ToArray());
        var images = split.Images.index_select(0, index).to(device).to(float32).div_(255);
        var labels = split.Labels.index_select(0, index).to(device);
        return (images.MoveToOuterDisposeScope(), labels.MoveToOuterDisposeScope());
    }

    /// <summary>0, 1, ..., count - 1.</summary>
    public static long[] InOrder(long count)
    {
        var indices = new long[count];
        for (var i = 0; i < indices.Length; i++)
        {
            indices[i] = i;
        }

        return indices;
    }

    private static long[] Shuffled(long count, DeterministicRandom random)
    {
        var indices = InOrder(count);
        for (var i = indices.Length - 1; i > 0; i--)
        {
            var j = random.NextInt32(i + 1);
            (indices[i], indices[j]) = (indices[j], indices[i]);
        }

        return indices;
    }
}
