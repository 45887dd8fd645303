using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Cuts a split into batches: shuffled for training, in order for evaluation.</summary>
internal static class Batches
{
    // Streams of randomness: what an epoch or a step draws depends on the seed and its number alone, so that a resumed run
    // draws the same with nothing to restore.
    private const ulong HoldOutStream = 1, ShuffleStream = 2, AugmentationStream = 3, DropoutStream = 4, VariationStream = 5;

    /// <summary>How many of so many training images are held out: at most a tenth.</summary>
    public static int HeldOut(long count, int wanted) => (int)Math.Min(wanted, count / 10);

    /// <summary>Splits the training images for good: (held out, to train on), each as indices.</summary>
    public static (long[] HeldOut, long[] Training) HoldOut(long count, int heldOut, int seed)
    {
        var indices = Shuffled(count, new DeterministicRandom((ulong)seed, HoldOutStream));
        var size = HeldOut(count, heldOut);
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

    /// <summary>Of stored images to addresses: each in one of its variations, another in each epoch. Where a split has none, as they are.</summary>
    public static long[] Vary(long[] stored, ImageSplit split, int seed, int epoch)
    {
        if (split.Variations == 1)
        {
            return stored;
        }

        var random = new DeterministicRandom((ulong)seed, VariationStream, (ulong)epoch);
        return Array.ConvertAll(stored, image => image + split.Count * random.NextInt32((int)split.Variations));
    }

    /// <summary>The images (B, C, H, W) at some addresses, as float32 in [0, 1], their labels, and their parts where they have some.</summary>
    public static ImageBatch Take(ImageSplit split, ReadOnlySpan<long> indices, Device device)
    {
        using var scope = NewDisposeScope();
        var batch = split.Take(indices);
        return new ImageBatch(Scaled(batch.Images), batch.Labels.to(device), batch.Parts is null ? null : Scaled(batch.Parts))
            .Select(tensor => tensor.MoveToOuterDisposeScope());

        Tensor Scaled(Tensor pixels)
        {
            using var white = 255.ToScalar();
            return pixels.to(device).to(float32).div_(white);
        }
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
        random.Shuffle<long>(indices);
        return indices;
    }
}
