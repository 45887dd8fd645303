namespace Capsules.Samples;

/// <summary>Dynamic routing by the formulas of the paper in plain doubles, without torch; for a few capsules.</summary>
internal sealed record PlainRouting(int B, int N, int D, int J, int E, int Iterations)
{
    /// <summary>
    /// The capsules (B, J, E) of u (B, N, D) and weights (N, J, D, E), and how fast the sum of their squares changes with each input.
    /// </summary>
    public (double[] Capsules, double[] InputSlopes, double[] WeightSlopes) ValueAndSlopes(double[] u, double[] weight) =>
        (Capsules(u, weight), Slopes(u, () => Squares(u, weight)), Slopes(weight, () => Squares(u, weight)));

    // Procedure 1, one row of the batch after the other.
    private double[] Capsules(double[] u, double[] weight)
    {
        var result = new double[B * J * E];
        for (var b = 0; b < B; b++)
        {
            var (votes, logits) = (Votes(u, weight, b), new double[N, J]);
            for (var iteration = 0; iteration < Iterations; iteration++)
            {
                var v = Squashed(Sum(votes, logits));
                Agree(votes, v, logits);
                Buffer.BlockCopy(v, 0, result, b * J * E * sizeof(double), J * E * sizeof(double));
            }
        }

        return result;
    }

    private double[,,] Votes(double[] u, double[] weight, int b)
    {
        var votes = new double[N, J, E];
        for (var place = 0; place < weight.Length; place++)
        {
            var (e, d, j, i) = (place % E, place / E % D, place / E / D % J, place / E / D / J);
            votes[i, j, e] += u[(b * N + i) * D + d] * weight[place];
        }

        return votes;
    }

    private void Agree(double[,,] votes, double[,] v, double[,] logits)
    {
        for (var i = 0; i < N; i++)
        {
            for (var j = 0; j < J; j++)
            {
                logits[i, j] += Enumerable.Range(0, E).Sum(e => votes[i, j, e] * v[j, e]);
            }
        }
    }

    private double[,] Sum(double[,,] votes, double[,] logits)
    {
        var s = new double[J, E];
        for (var i = 0; i < N; i++)
        {
            var all = Enumerable.Range(0, J).Sum(j => Math.Exp(logits[i, j]));
            for (var j = 0; j < J; j++)
            {
                for (var e = 0; e < E; e++)
                {
                    s[j, e] += Math.Exp(logits[i, j]) / all * votes[i, j, e];
                }
            }
        }

        return s;
    }

    private double[,] Squashed(double[,] s)
    {
        var v = new double[J, E];
        for (var j = 0; j < J; j++)
        {
            var square = Enumerable.Range(0, E).Sum(e => s[j, e] * s[j, e]);
            for (var e = 0; e < E; e++)
            {
                v[j, e] = square == 0 ? 0 : square / (1 + square) * s[j, e] / Math.Sqrt(square);
            }
        }

        return v;
    }

    private double Squares(double[] u, double[] weight) => Capsules(u, weight).Sum(entry => entry * entry);

    // Central differences.
    private static double[] Slopes(double[] values, Func<double> of)
    {
        const double step = 1e-5;
        var slopes = new double[values.Length];
        for (var place = 0; place < values.Length; place++)
        {
            var value = values[place];
            values[place] = value + step;
            var above = of();
            values[place] = value - step;
            slopes[place] = (above - of()) / (2 * step);
            values[place] = value;
        }

        return slopes;
    }
}
