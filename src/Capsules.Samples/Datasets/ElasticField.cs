namespace Capsules.Samples;

/// <summary>A smooth random displacement of the plane around the glyph's box: cubic B-splines over a coarse grid.</summary>
internal readonly struct ElasticField
{
    // Four cells a side over [-0.5, 1.5], so a glyph spans two: its parts bend and grow against each other, its lines stay smooth.
    private const int Cells = 4;
    private const int Knots = Cells + 3;
    private readonly double[] _x;
    private readonly double[] _y;

    public ElasticField(double strength, ref DeterministicRandom random)
    {
        _x = new double[Knots * Knots];
        _y = new double[Knots * Knots];
        for (var i = 0; i < _x.Length; i++)
        {
            _x[i] = strength * random.NextBell();
            _y[i] = strength * random.NextBell();
        }
    }

    /// <summary>Where the field carries a point.</summary>
    public (double X, double Y) Move(double x, double y)
    {
        Span<double> weightX = stackalloc double[4];
        Span<double> weightY = stackalloc double[4];
        var column = Weights(x, weightX);
        var row = Weights(y, weightY);
        var (dx, dy) = (0.0, 0.0);
        for (var i = 0; i < 4; i++)
        {
            for (var j = 0; j < 4; j++)
            {
                var knot = (row + i) * Knots + column + j;
                dx += weightY[i] * weightX[j] * _x[knot];
                dy += weightY[i] * weightX[j] * _y[knot];
            }
        }

        return (x + dx, y + dy);
    }

    private static int Weights(double position, Span<double> weights)
    {
        var u = Math.Clamp((position + 0.5) * (Cells / 2.0), 0, Cells - 0.001);
        var cell = (int)u;
        var t = u - cell;
        weights[0] = (1 - t) * (1 - t) * (1 - t) / 6;
        weights[1] = (4 - t * t * (6 - 3 * t)) / 6;
        weights[2] = (1 + t * (3 + t * (3 - 3 * t))) / 6;
        weights[3] = t * t * t / 6;
        return cell;
    }
}
