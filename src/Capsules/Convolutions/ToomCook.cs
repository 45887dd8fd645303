namespace Capsules;

/// <summary>The matrices of a minimal filtering algorithm F(m, r): m outputs of a filter of r taps by m + r - 1 products.</summary>
/// <remarks>
/// <para>y = A^T [(G g) * (B^T d)] with y_i = sum_j g_j d_(i+j). By transposing Toom-Cook's multiplication of polynomials: G and A
/// evaluate at m + r - 1 points, the last of which is infinity, and B^T transposes the interpolation.</para>
/// <para>Winograd, "Arithmetic Complexity of Computations", 1980; Lavin, Gray, "Fast Algorithms for Convolutional Neural
/// Networks", 2016, section 4, arXiv:1509.09308.</para>
/// </remarks>
internal sealed class ToomCook
{
    // Small numbers and their reciprocals, in pairs of opposite sign: what keeps rounding errors small (Barabasz, Anderson,
    // Soodhalter, Gregg, "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks", 2020).
    private static readonly double[] Points = [0, 1, -1, 0.5, -0.5, 2];

    /// <param name="outputs">m, at least 1.</param>
    /// <param name="taps">r, at least 1; m + r - 1 is at most 7.</param>
    public ToomCook(int outputs, int taps)
    {
        (Outputs, Taps) = (outputs, taps);
        Filter = Evaluation(taps);
        Output = Evaluation(outputs);
        var interpolation = Inverse(Evaluation(Products));
        Input = new double[Products, Products];
        for (var a = 0; a < Products; a++)
        {
            // Each product's factors can be scaled against each other at will: both transforms keep entries of similar size.
            var (inputSize, filterSize) = (0.0, 0.0);
            for (var l = 0; l < Products; l++)
            {
                inputSize += Math.Abs(interpolation[l, a]);
            }

            for (var j = 0; j < taps; j++)
            {
                filterSize += Math.Abs(Filter[a, j]);
            }

            var factor = Math.Sqrt(filterSize / inputSize);
            for (var l = 0; l < Products; l++)
            {
                Input[a, l] = interpolation[l, a] * factor;
            }

            for (var j = 0; j < taps; j++)
            {
                Filter[a, j] /= factor;
            }
        }
    }

    /// <summary>m, the outputs of one tile.</summary>
    public int Outputs { get; }

    /// <summary>r, the filter's taps.</summary>
    public int Taps { get; }

    /// <summary>n = m + r - 1, the products, and the inputs that a tile reads.</summary>
    public int Products => Outputs + Taps - 1;

    /// <summary>G (n, r).</summary>
    public double[,] Filter { get; }

    /// <summary>B^T (n, n).</summary>
    public double[,] Input { get; }

    /// <summary>A (n, m).</summary>
    public double[,] Output { get; }

    // Row a evaluates a polynomial with so many coefficients at point a; at infinity the last coefficient is the value.
    private double[,] Evaluation(int coefficients)
    {
        var matrix = new double[Products, coefficients];
        for (var a = 0; a < Products - 1; a++)
        {
            for (var power = 0; power < coefficients; power++)
            {
                matrix[a, power] = Math.Pow(Points[a], power);
            }
        }

        matrix[Products - 1, coefficients - 1] = 1;
        return matrix;
    }

    // Gauss-Jordan with pivots; the matrices are tiny and well enough conditioned in float64.
    private static double[,] Inverse(double[,] matrix)
    {
        var size = matrix.GetLength(0);
        var (left, right) = ((double[,])matrix.Clone(), new double[size, size]);
        for (var i = 0; i < size; i++)
        {
            right[i, i] = 1;
        }

        for (var column = 0; column < size; column++)
        {
            var pivot = column;
            for (var row = column + 1; row < size; row++)
            {
                pivot = Math.Abs(left[row, column]) > Math.Abs(left[pivot, column]) ? row : pivot;
            }

            for (var k = 0; k < size; k++)
            {
                (left[column, k], left[pivot, k]) = (left[pivot, k], left[column, k]);
                (right[column, k], right[pivot, k]) = (right[pivot, k], right[column, k]);
            }

            var scale = 1 / left[column, column];
            for (var k = 0; k < size; k++)
            {
                left[column, k] *= scale;
                right[column, k] *= scale;
            }

            for (var row = 0; row < size; row++)
            {
                var factor = left[row, column];
                if (row == column || factor == 0)
                {
                    continue;
                }

                for (var k = 0; k < size; k++)
                {
                    left[row, k] -= factor * left[column, k];
                    right[row, k] -= factor * right[column, k];
                }
            }
        }

        return right;
    }
}
