using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>MultiMNIST: two MNIST digits of different classes over each other in 36 x 36 pixels; both are to be found.</summary>
/// <remarks>
/// <para>Sabour, Frosst, Hinton, 2017, section 6: each digit is overlaid by 1000 others of its split, which makes 60 million pairs to
/// train on and 10 million to test on. They are made when asked for and never stored.</para>
/// <para>Two variants are published. The paper's text: each digit is shifted by up to 4 pixels. Its authors' code
/// (mnist_shift.py --shift=6 --pad=4 --num_pairs=1000): by up to 6, the first digit of a pair alike in all its 1000. Where this differs
/// from the code: it draws the 1000 partners of a digit without repetition, here one may come twice.</para>
/// </remarks>
internal static class MultiMnist
{
    public const string Name = "multimnist", CodeName = "multimnist-code";

    private const int OverlapSample = 10_000;

    public static DatasetKind Paper { get; } = Make(Name, "shifted by up to 4 pixels as in the paper's text", 4, sharesShift: false);

    public static DatasetKind Code { get; } = Make(CodeName, "shifted by up to 6 pixels as in its authors' code", 6, sharesShift: true);

    private static DatasetKind Make(string name, string variant, int shift, bool sharesShift) => new(
        name, "MultiMNIST", $"pairs of MNIST's digits over each other, 36 x 36, {variant}; 60 million to train on, 10 million to test on",
        "made from MNIST as Sabour, Frosst, Hinton 2017 do, section 6", [Mnist.Files], source => Mnist.Load(source.Folders[0], source.Notice).Remade(mnist =>
        {
            var (train, test) = (Pairs(mnist.Train, stream: 0), Pairs(mnist.Test, stream: 2));
            var pairs = (int)Math.Min(OverlapSample, test.Count * test.Variations);
            var (side, area) = test.Overlap(pairs);
            source.Notice(
                $"{name}: the digits' boxes of 20 x 20 pixels overlap by {100 * side:f1} % of a side and {100 * area:f1} % of their " +
                $"area (mean of {pairs:N0} test pairs).");
            return new ImageDataset(name, $"pairs from {mnist.Source}, shift {shift}", mnist.ClassNames, train, test);

            PairSplit Pairs(ImageSplit digits, ulong stream)
            {
                var pairs = new PairSplit(digits.Images, digits.Labels, shift, sharesShift, stream);
                pairs.DrawnFrom(Batches.InOrder(digits.Count));      // refuses digits that are all of one class
                return pairs;
            }
        }))
    { Augmentation = Samples.Augmentation.None };
}

/// <summary>Pairs of stored digits of different classes, each shifted by itself.</summary>
/// <param name="Images">Digits (N, 1, 28, 28).</param>
/// <param name="Labels">Their classes (N).</param>
/// <param name="MaxShift">Pixels in each direction.</param>
/// <param name="SharesShift">The first digit of a pair is shifted alike in all its variations.</param>
/// <param name="Stream">The stream of random numbers that belongs to the split; the one after it too.</param>
internal sealed record PairSplit(Tensor Images, Tensor Labels, int MaxShift, bool SharesShift, ulong Stream) : MadeSplit(Images, Labels)
{
    private const int Size = 28, Pad = 4, Canvas = Size + 2 * Pad, Box = 20;
    private const ulong Seed = 2017;

    // Partners are drawn from these; null: from all.
    private long[]? _pool;

    public override long Variations => 1000;

    public override int Objects => 2;

    public override ImageShape Shape => new(1, Canvas, Canvas);

    public override string Recipe => $"pairs, shift {MaxShift}, shared {SharesShift}, stream {Stream}, seed {Seed}";

    public override ImageSplit DrawnFrom(long[] stored) => stored.Select(image => Classes[image]).Distinct().Count() >= 2
        ? this with { _pool = stored }
        : throw new UserException(
            $"Pairs need digits of two classes, but the {stored.Length:N0} that they would be drawn from are of one. Use more images.");

    /// <summary>By how much the two digits' boxes overlap, in parts of a side and of their area: the mean of the first pairs.</summary>
    public (double Side, double Area) Overlap(int pairs)
    {
        var (side, area) = (0.0, 0.0);
        for (var address = 0L; address < pairs; address++)
        {
            var (_, first, second) = Draw(address);
            var (y, x) = (Box - Math.Abs(first.Y - second.Y), Box - Math.Abs(first.X - second.X));
            side += (y + x) / (2.0 * Box);
            area += (double)(y * x) / (Box * Box);
        }

        return (side / pairs, area / pairs);
    }

    protected override void Make(long address, Span<byte> target, Span<long> labels)
    {
        var (partner, first, second) = Draw(address);
        var digit = address % Count;
        Paste(Stored(digit), Size, target[..(Canvas * Canvas)], Canvas, Pad + first.Y, Pad + first.X);
        Paste(Stored(partner), Size, target[(Canvas * Canvas)..], Canvas, Pad + second.Y, Pad + second.X);
        (labels[0], labels[1]) = (Classes[digit], Classes[partner]);
    }

    private (long Partner, (int Y, int X) First, (int Y, int X) Second) Draw(long address)
    {
        var digit = address % Count;
        var random = new DeterministicRandom(Seed, Stream, (ulong)address);
        var own = SharesShift ? new DeterministicRandom(Seed, Stream + 1, (ulong)digit) : random;
        var first = Shift(ref own);
        if (!SharesShift)
        {
            random = own;
        }

        var second = Shift(ref random);
        long partner;
        do
        {
            partner = _pool is null ? random.NextInt32((int)Count) : _pool[random.NextInt32(_pool.Length)];
        }
        while (Classes[partner] == Classes[digit]);

        return (partner, first, second);
    }

    private (int Y, int X) Shift(ref DeterministicRandom random) =>
        (random.NextInt32(2 * MaxShift + 1) - MaxShift, random.NextInt32(2 * MaxShift + 1) - MaxShift);
}
