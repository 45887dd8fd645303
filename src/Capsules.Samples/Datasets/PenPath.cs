namespace Capsules.Samples;

/// <summary>A point that the pen passes, and half the width of its ink there.</summary>
/// <param name="StartsStroke">The pen was lifted before this point: no ink leads to it.</param>
internal record struct PenPoint(double X, double Y, double Radius, bool StartsStroke);

/// <summary>Turns the few points of a glyph's strokes into the pen's way: a curve with a slight wobble of hand and pressure.</summary>
internal static class PenPath
{
    private const int StepsPerSpan = 6;

    /// <summary>Follows the strokes through their points, each moved a little, and writes the way to <paramref name="path"/>.</summary>
    public static void Follow(StrokePoint[][] strokes, double wobble, ref DeterministicRandom random, List<PenPoint> path)
    {
        foreach (var stroke in strokes)
        {
            var points = new StrokePoint[stroke.Length];
            for (var i = 0; i < stroke.Length; i++)
            {
                points[i] = stroke[i] with
                {
                    X = stroke[i].X + wobble * random.NextBell(),
                    Y = stroke[i].Y + wobble * random.NextBell(),
                };
            }

            var startPressure = 1 + 0.12 * random.NextBell();
            var endPressure = 1 + 0.12 * random.NextBell();
            path.Add(new PenPoint(points[0].X, points[0].Y, startPressure, StartsStroke: true));
            for (var i = 0; i + 1 < points.Length; i++)
            {
                for (var step = 1; step <= StepsPerSpan; step++)
                {
                    var (x, y) = PointBetween(points, i, step / (double)StepsPerSpan);
                    var along = (i + step / (double)StepsPerSpan) / (points.Length - 1);
                    path.Add(new PenPoint(x, y, startPressure + (endPressure - startPressure) * along, StartsStroke: false));
                }
            }
        }
    }

    // Catmull-Rom between points i and i + 1. At a corner and at the ends the curve does not look beyond.
    private static (double X, double Y) PointBetween(StrokePoint[] points, int i, double t)
    {
        var (p1, p2) = (points[i], points[i + 1]);
        var p0 = i == 0 || p1.IsCorner ? Mirror(p1, p2) : points[i - 1];
        var p3 = i + 2 == points.Length || p2.IsCorner ? Mirror(p2, p1) : points[i + 2];
        return (Spline(p0.X, p1.X, p2.X, p3.X, t), Spline(p0.Y, p1.Y, p2.Y, p3.Y, t));
    }

    private static StrokePoint Mirror(StrokePoint about, StrokePoint other) =>
        new(2 * about.X - other.X, 2 * about.Y - other.Y, IsCorner: false);

    private static double Spline(double a, double b, double c, double d, double t) =>
        0.5 * (2 * b + t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))));
}
