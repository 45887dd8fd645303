namespace Capsules.Samples;

/// <summary>Digits that look handwritten and need no download: pen strokes under random hands, 28 x 28, white on black.</summary>
/// <remarks>
/// A stand-in for MNIST where that cannot be had, about as hard for simple classifiers; yet figures on it compare with nothing that
/// is published.
/// Image i of a part depends on the seed, the part and i alone, so it is the same on every machine and with any number of threads,
/// and a larger part begins with the images of a smaller one.
/// </remarks>
internal static class BuiltInDigits
{
    public const string Name = "builtin";
    public const int DefaultSeed = 2017;

    public static DatasetKind Kind { get; } = new(
        Name, "The built-in digits", "generated digits, 28 x 28, no download", "this program's own: pen strokes under random hands",
        [], _ => Create()) { Data = DataFolderUse.None };

    private const int Pixels = DigitPen.Size * DigitPen.Size;

    /// <summary>Generates both parts, the digits equally often in each.</summary>
    /// <param name="train">Images to train on, at least 1.</param>
    /// <param name="test">Images to test on, at least 1.</param>
    /// <param name="seed">Another seed gives other images.</param>
    public static ImageDataset Create(int train = 30_000, int test = 2_000, int seed = DefaultSeed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(train, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(test, 1);
        return new ImageDataset(Name, $"generated, seed {seed}", DigitClasses.Names, Generate(train, seed, part: 0), Generate(test, seed, part: 1));
    }

    private static ImageSplit Generate(int count, int seed, ulong part)
    {
        var pixels = new byte[checked(count * Pixels)];
        var labels = new byte[count];
        Parallel.For(0, count, i =>
        {
            labels[i] = LabelOf(i, seed, part);
            var random = new DeterministicRandom((ulong)seed, 2 * part, (ulong)i);
            DigitPen.Write(labels[i], ref random, pixels.AsSpan(i * Pixels, Pixels));
        });
        return ImageSplit.FromArrays(pixels, labels, channels: 1, DigitPen.Size, DigitPen.Size);
    }

    // Every ten images hold every digit once, in an order of their own: balanced, yet never a fixed sequence.
    private static byte LabelOf(int image, int seed, ulong part)
    {
        Span<byte> order = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        var random = new DeterministicRandom((ulong)seed, 2 * part + 1, (ulong)(image / 10));
        random.Shuffle(order);
        return order[image % 10];
    }
}
