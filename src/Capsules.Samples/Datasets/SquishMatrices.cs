using System.Collections.Concurrent;

namespace Capsules.Samples;

/// <summary>
/// Matrices (W, W) that make a row of W pixels narrower and centre it: all that the squish of <see cref="EfficientAugmentation"/>
/// can do to an image. They resample as TensorFlow's image.resize with Lanczos3 and antialias.
/// </summary>
internal static class SquishMatrices
{
    private const int Radius = 3;

    private static readonly ConcurrentDictionary<int, float[]> Known = new();

    /// <summary>The index of the matrix that the two random shares, in [0, 1), choose.</summary>
    public static long Index(int width, double narrowing, double offset) =>
        2 * (Math.Min((int)(narrowing * (width / 4.0)) + 1, Narrowings(width)) - 1) + (offset >= 0.5 ? 1 : 0);

    /// <summary>All matrices for a width, (W / 4 * 2, W, W): narrower by 1 with offset 0 and 1, narrower by 2, and so on.</summary>
    public static float[] Of(int width) => Known.GetOrAdd(width, static width =>
    {
        var matrices = new float[2 * Narrowings(width) * width * width];
        for (var index = 0; index < 2 * Narrowings(width); index++)
        {
            var narrowing = index / 2 + 1;
            Fill(matrices.AsSpan(index * width * width, width * width), width, width - narrowing, first: narrowing / 2 + index % 2);
        }

        return matrices;
    });

    private static int Narrowings(int width) => Math.Max(1, width / 4);

    // Column first + x holds the weights by which pixel x of the narrower row is made.
    private static void Fill(Span<float> matrix, int width, int narrow, int first)
    {
        var scale = (double)width / narrow;
        for (var x = 0; x < narrow; x++)
        {
            var centre = (x + 0.5) * scale;
            var (from, to) = (Math.Max((int)Math.Ceiling(centre - Radius * scale - 0.5), 0), Math.Min((int)Math.Floor(centre + Radius * scale - 0.5), width - 1));
            var sum = 0.0;
            for (var source = from; source <= to; source++)
            {
                sum += Lanczos((source + 0.5 - centre) / scale);
            }

            for (var source = from; source <= to; source++)
            {
                matrix[source * width + first + x] = (float)(Lanczos((source + 0.5 - centre) / scale) / sum);
            }
        }
    }

    private static double Lanczos(double x)
    {
        var (distance, angle) = (Math.Abs(x), Math.PI * x);
        return distance <= 1e-3 ? 1 : distance > Radius ? 0 : Radius * Math.Sin(angle) * Math.Sin(angle / Radius) / (angle * angle);
    }
}
