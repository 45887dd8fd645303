using System.Runtime.InteropServices;

namespace Capsules.Samples;

/// <summary>Writes one digit as a hand might, into 28 x 28 pixels, white on black, placed as MNIST places its digits.</summary>
/// <remarks>
/// Only +, -, *, / and the square root are used, never a sine or an exponential: the former are exactly rounded everywhere, the latter
/// differ between platforms in their last bit, and a pixel value would sooner or later differ with them.
/// </remarks>
internal static class DigitPen
{
    public const int Size = 28;

    // MNIST fits the ink into a box of 20 pixels and puts its centre of mass into the middle of the 28.
    private const double Box = 20;

    /// <summary>Draws a digit with the hand that the random numbers describe.</summary>
    /// <param name="pixels">Receives 28 x 28 values, row by row, 255 for full ink.</param>
    public static void Write(int digit, ref DeterministicRandom random, Span<byte> pixels)
    {
        var ways = DigitGlyphs.Of(digit);
        var path = new List<PenPoint>(128);
        PenPath.Follow(ways[random.NextInt32(ways.Length)], wobble: random.NextDouble(0.01, 0.05), ref random, path);

        var points = CollectionsMarshal.AsSpan(path);
        Distort(points, ref random);
        Place(points, ref random);
        Ink(points, ref random, pixels);
    }

    // Elastic, then width, slant and rotation. The rotation comes from t = tan(angle / 2), which needs no sine.
    private static void Distort(Span<PenPoint> points, ref DeterministicRandom random)
    {
        var field = new ElasticField(random.NextDouble(0.04, 0.2), ref random);
        var width = 0.86 * (1 + 0.2 * random.NextBell());
        var slant = 0.14 + 0.22 * random.NextBell();
        var t = 0.06 * random.NextBell();
        var cosine = (1 - t * t) / (1 + t * t);
        var sine = 2 * t / (1 + t * t);
        foreach (ref var point in points)
        {
            var (x, y) = field.Move(point.X, point.Y);
            (x, y) = (x - 0.5, y - 0.5);
            x = width * x - slant * y;
            (point.X, point.Y) = (cosine * x - sine * y, sine * x + cosine * y);
        }
    }

    // Scales to MNIST's box, chooses the pen, and centres the ink's mass.
    private static void Place(Span<PenPoint> points, ref DeterministicRandom random)
    {
        var thin = random.NextDouble();
        var pen = 0.85 + 0.95 * thin * thin + 0.3 * random.NextDouble();
        var (left, right, top, bottom) = (double.MaxValue, double.MinValue, double.MaxValue, double.MinValue);
        foreach (var point in points)
        {
            left = Math.Min(left, point.X);
            right = Math.Max(right, point.X);
            top = Math.Min(top, point.Y);
            bottom = Math.Max(bottom, point.Y);
        }

        var scale = (random.NextDouble(0.92, 1.0) * Box - 2 * pen) / Math.Max(right - left, bottom - top);
        var (mass, centreX, centreY) = (0.0, 0.0, 0.0);
        for (var i = 0; i < points.Length; i++)
        {
            ref var point = ref points[i];
            point = point with { X = point.X * scale, Y = point.Y * scale, Radius = pen * Math.Clamp(point.Radius, 0.65, 1.35) };
            if (!point.StartsStroke)
            {
                // Taxicab length: near enough for a centre, and free of a square root.
                var last = points[i - 1];
                var ink = (Math.Abs(point.X - last.X) + Math.Abs(point.Y - last.Y)) * point.Radius;
                mass += ink;
                centreX += ink * (point.X + last.X) / 2;
                centreY += ink * (point.Y + last.Y) / 2;
            }
        }

        var shiftX = Size / 2.0 - centreX / mass + 0.4 * random.NextBell();
        var shiftY = Size / 2.0 - centreY / mass + 0.4 * random.NextBell();
        foreach (ref var point in points)
        {
            point.X += shiftX;
            point.Y += shiftY;
        }
    }

    // Each pixel's ink follows from its distance to the nearest edge of a stroke: full inside, fading over the width of the edge.
    private static void Ink(ReadOnlySpan<PenPoint> points, ref DeterministicRandom random, Span<byte> pixels)
    {
        Span<double> outside = stackalloc double[Size * Size];
        outside.Fill(double.MaxValue);
        for (var i = 1; i < points.Length; i++)
        {
            if (!points[i].StartsStroke)
            {
                MeasureDistance(points[i - 1], points[i], outside);
            }
        }

        var edge = random.NextDouble(0.8, 1.3);
        var strength = random.NextDouble(0.95, 1.0);
        for (var i = 0; i < pixels.Length; i++)
        {
            var ink = Math.Clamp(0.5 - outside[i] / edge, 0, 1);
            var grain = ink > 0 ? 1 - 0.06 * random.NextDouble() : 0;
            pixels[i] = (byte)(255 * strength * ink * grain + 0.5);
        }
    }

    // Keeps, for every pixel near the segment, the least distance to an edge of ink (negative inside it).
    private static void MeasureDistance(PenPoint from, PenPoint to, Span<double> outside)
    {
        var reach = Math.Max(from.Radius, to.Radius) + 1.5;
        var firstX = Math.Clamp((int)(Math.Min(from.X, to.X) - reach), 0, Size);
        var lastX = Math.Clamp((int)(Math.Max(from.X, to.X) + reach) + 1, 0, Size);
        var firstY = Math.Clamp((int)(Math.Min(from.Y, to.Y) - reach), 0, Size);
        var lastY = Math.Clamp((int)(Math.Max(from.Y, to.Y) + reach) + 1, 0, Size);
        var (dx, dy) = (to.X - from.X, to.Y - from.Y);
        var lengthSquared = Math.Max(dx * dx + dy * dy, 1e-12);
        for (var row = firstY; row < lastY; row++)
        {
            for (var column = firstX; column < lastX; column++)
            {
                var (px, py) = (column + 0.5 - from.X, row + 0.5 - from.Y);
                var along = Math.Clamp((px * dx + py * dy) / lengthSquared, 0, 1);
                var (ex, ey) = (px - along * dx, py - along * dy);
                var radius = from.Radius + along * (to.Radius - from.Radius);
                ref var nearest = ref outside[row * Size + column];
                nearest = Math.Min(nearest, Math.Sqrt(ex * ex + ey * ey) - radius);
            }
        }
    }
}
