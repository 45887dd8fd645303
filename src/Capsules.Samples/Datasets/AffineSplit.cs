using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>
/// Stored digits rotated, sheared, scaled and put somewhere in 40 x 40 pixels where all their ink is in sight: 32 variations of each.
/// </summary>
/// <remarks>
/// Uniform: rotation within 20 degrees, shear within 0.2, scales of 0.8 to 1.2 for height and width, then the place. The place of a
/// pixel p of the digit is A (p - middle) + place, with A = rotation * shear * scale; values are bilinear.
/// </remarks>
internal sealed record AffineSplit(Tensor Images, Tensor Labels) : MadeSplit(Images, Labels)
{
    private const int Size = 28, Canvas = TranslatedSplit.Canvas;
    private const double Middle = (Size - 1) / 2.0, MaxDegrees = 20, MaxShear = 0.2, MaxScaling = 0.2;
    private const ulong Seed = 2017, Stream = 10;

    public override long Variations => 32;

    public override ImageShape Shape => new(1, Canvas, Canvas);

    public override string Recipe => $"affine, rotation {MaxDegrees}, shear {MaxShear}, scaling {MaxScaling}, seed {Seed}";

    protected override void Make(long address, Span<byte> target, Span<long> labels)
    {
        var digit = Stored(address % Count);
        labels[0] = Classes[address % Count];
        var random = new DeterministicRandom(Seed, Stream, (ulong)address);
        var (sin, cos) = Math.SinCos(random.NextDouble(-MaxDegrees, MaxDegrees) * Math.PI / 180);
        var shear = random.NextDouble(-MaxShear, MaxShear);
        var (high, wide) = (random.NextDouble(1 - MaxScaling, 1 + MaxScaling), random.NextDouble(1 - MaxScaling, 1 + MaxScaling));

        // x' = xx x + xy y, y' = yx x + yy y, for x and y from the middle.
        var (xx, xy, yx, yy) = (cos * wide, (cos * shear - sin) * high, sin * wide, (sin * shear + cos) * high);
        var (left, right, top, bottom) = (double.MaxValue, double.MinValue, double.MaxValue, double.MinValue);
        for (var i = 0; i < digit.Length; i++)
        {
            if (digit[i] > 0)
            {
                var (x, y) = (i % Size - Middle, i / Size - Middle);
                var (toX, toY) = (xx * x + xy * y, yx * x + yy * y);
                (left, right) = (Math.Min(left, toX), Math.Max(right, toX));
                (top, bottom) = (Math.Min(top, toY), Math.Max(bottom, toY));
            }
        }

        var (placeX, placeY) = (Place(random.NextDouble(), left, right), Place(random.NextDouble(), top, bottom));
        var determinant = xx * yy - xy * yx;
        for (var i = 0; i < target.Length; i++)
        {
            var (x, y) = (i % Canvas - placeX, i / Canvas - placeY);
            target[i] = Bilinear(digit, (yy * x - xy * y) / determinant + Middle, (xx * y - yx * x) / determinant + Middle);
        }
    }

    // Where the middle goes so that ink from low to high, as seen from it, is in sight. An image too large for that, or blank, goes to
    // the middle.
    private static double Place(double share, double low, double high) =>
        high - low <= Canvas - 1 && low <= high ? -low + share * (Canvas - 1 - (high - low)) : (Canvas - 1) / 2.0;

    private static byte Bilinear(ReadOnlySpan<byte> image, double x, double y)
    {
        var (left, top) = ((int)Math.Floor(x), (int)Math.Floor(y));
        if (left < -1 || top < -1 || left >= Size || top >= Size)
        {
            return 0;
        }

        var (toRight, down) = (x - left, y - top);
        var value = (1 - down) * ((1 - toRight) * At(image, left, top) + toRight * At(image, left + 1, top))
            + down * ((1 - toRight) * At(image, left, top + 1) + toRight * At(image, left + 1, top + 1));
        return (byte)(value + 0.5);
    }

    private static double At(ReadOnlySpan<byte> image, int x, int y) => x is >= 0 and < Size && y is >= 0 and < Size ? image[y * Size + x] : 0;
}
