using System.Runtime.CompilerServices;

namespace Capsules;

/// <summary>What routing does with coupling coefficients: the softmax over output capsules and the sums it weights.</summary>
internal static unsafe class Coupling<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
    /// <summary>coefficients[j] = softmax over j of logits[j]; leaky counts one more logit of zero, whose share goes nowhere.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Softmax(int capsules, bool leaky, float* logits, float* coefficients)
    {
        var lanes = TSimd.Lanes;
        var maximum = leaky ? TSimd.Max(TSimd.Zero, TSimd.Load(logits)) : TSimd.Load(logits);
        for (var j = 1; j < capsules; j++)
        {
            maximum = TSimd.Max(maximum, TSimd.Load(logits + (nint)j * lanes));
        }

        var total = leaky ? SimdMath.ExpOfNonPositive<TSimd, TVector>(TSimd.Subtract(TSimd.Zero, maximum)) : TSimd.Zero;
        for (var first = 0; first < capsules; first += 16)
        {
            // A thousand nearly equal terms, each added to an ever larger total, would all be rounded the same way.
            var part = TSimd.Zero;
            for (var j = first; j < Math.Min(first + 16, capsules); j++)
            {
                var exponential = SimdMath.ExpOfNonPositive<TSimd, TVector>(TSimd.Subtract(TSimd.Load(logits + (nint)j * lanes), maximum));
                part = TSimd.Add(part, exponential);
                TSimd.Store(exponential, coefficients + (nint)j * lanes);
            }

            total = TSimd.Add(total, part);
        }

        var scale = TSimd.Divide(TSimd.Broadcast(1f), total);
        for (var j = 0; j < capsules; j++)
        {
            TSimd.Store(TSimd.Multiply(scale, TSimd.Load(coefficients + (nint)j * lanes)), coefficients + (nint)j * lanes);
        }
    }

    /// <summary>
    /// From coefficients c and their gradients dc to the logits' gradients c_j (dc_j - sum_k c_k dc_k), in the place of c, and c in
    /// the place of dc. The leaky softmax's extra entry has dc = 0, so it needs no term.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SoftmaxGradient(int capsules, float* coefficients, float* gradients)
    {
        var lanes = TSimd.Lanes;
        var mean = TSimd.Zero;
        for (var j = 0; j < capsules; j++)
        {
            mean = TSimd.MultiplyAdd(TSimd.Load(coefficients + (nint)j * lanes), TSimd.Load(gradients + (nint)j * lanes), mean);
        }

        for (var j = 0; j < capsules; j++)
        {
            var coefficient = TSimd.Load(coefficients + (nint)j * lanes);
            var gradient = TSimd.Subtract(TSimd.Load(gradients + (nint)j * lanes), mean);
            TSimd.Store(TSimd.Multiply(coefficient, gradient), coefficients + (nint)j * lanes);
            TSimd.Store(coefficient, gradients + (nint)j * lanes);
        }
    }

    /// <summary>sums[j, e] += factors[j] votes[j, e].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddWeighted(in VoteSizes sizes, float* factors, float* votes, float* sums)
    {
        var lanes = TSimd.Lanes;
        var vote = votes;
        var sum = sums;
        for (var j = 0; j < sizes.J; j++)
        {
            var factor = TSimd.Load(factors + (nint)j * lanes);
            var e = 0;
            for (; e + 8 <= sizes.E; e += 8)
            {
                TSimd.Store(TSimd.MultiplyAdd(factor, TSimd.Load(vote), TSimd.Load(sum)), sum);
                TSimd.Store(TSimd.MultiplyAdd(factor, TSimd.Load(vote + lanes), TSimd.Load(sum + lanes)), sum + lanes);
                TSimd.Store(TSimd.MultiplyAdd(factor, TSimd.Load(vote + 2 * lanes), TSimd.Load(sum + 2 * lanes)), sum + 2 * lanes);
                TSimd.Store(TSimd.MultiplyAdd(factor, TSimd.Load(vote + 3 * lanes), TSimd.Load(sum + 3 * lanes)), sum + 3 * lanes);
                TSimd.Store(TSimd.MultiplyAdd(factor, TSimd.Load(vote + 4 * lanes), TSimd.Load(sum + 4 * lanes)), sum + 4 * lanes);
                TSimd.Store(TSimd.MultiplyAdd(factor, TSimd.Load(vote + 5 * lanes), TSimd.Load(sum + 5 * lanes)), sum + 5 * lanes);
                TSimd.Store(TSimd.MultiplyAdd(factor, TSimd.Load(vote + 6 * lanes), TSimd.Load(sum + 6 * lanes)), sum + 6 * lanes);
                TSimd.Store(TSimd.MultiplyAdd(factor, TSimd.Load(vote + 7 * lanes), TSimd.Load(sum + 7 * lanes)), sum + 7 * lanes);
                vote += 8 * lanes;
                sum += 8 * lanes;
            }

            for (; e < sizes.E; e++)
            {
                TSimd.Store(TSimd.MultiplyAdd(factor, TSimd.Load(vote), TSimd.Load(sum)), sum);
                vote += lanes;
                sum += lanes;
            }
        }
    }

    /// <summary>voteGradients[j, e] = sum_q factors[q, j] vectors[q, j, e].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Combine(
        in VoteSizes sizes, int count, float* factors, nint factorStride, float* vectors, nint vectorStride, float* voteGradients)
    {
        var lanes = TSimd.Lanes;
        for (var j = 0; j < sizes.J; j++)
        {
            var e = 0;
            for (; e + 8 <= sizes.E; e += 8)
            {
                TVector g0 = TSimd.Zero, g1 = TSimd.Zero, g2 = TSimd.Zero, g3 = TSimd.Zero, g4 = TSimd.Zero, g5 = TSimd.Zero, g6 = TSimd.Zero, g7 = TSimd.Zero;
                var probe = vectors + ((nint)j * sizes.E + e) * lanes;
                var factor = factors + (nint)j * lanes;
                for (var q = 0; q < count; q++)
                {
                    var f = TSimd.Load(factor);
                    g0 = TSimd.MultiplyAdd(f, TSimd.Load(probe), g0);
                    g1 = TSimd.MultiplyAdd(f, TSimd.Load(probe + lanes), g1);
                    g2 = TSimd.MultiplyAdd(f, TSimd.Load(probe + 2 * lanes), g2);
                    g3 = TSimd.MultiplyAdd(f, TSimd.Load(probe + 3 * lanes), g3);
                    g4 = TSimd.MultiplyAdd(f, TSimd.Load(probe + 4 * lanes), g4);
                    g5 = TSimd.MultiplyAdd(f, TSimd.Load(probe + 5 * lanes), g5);
                    g6 = TSimd.MultiplyAdd(f, TSimd.Load(probe + 6 * lanes), g6);
                    g7 = TSimd.MultiplyAdd(f, TSimd.Load(probe + 7 * lanes), g7);
                    probe += vectorStride;
                    factor += factorStride;
                }

                var to = voteGradients + ((nint)j * sizes.E + e) * lanes;
                TSimd.Store(g0, to);
                TSimd.Store(g1, to + lanes);
                TSimd.Store(g2, to + 2 * lanes);
                TSimd.Store(g3, to + 3 * lanes);
                TSimd.Store(g4, to + 4 * lanes);
                TSimd.Store(g5, to + 5 * lanes);
                TSimd.Store(g6, to + 6 * lanes);
                TSimd.Store(g7, to + 7 * lanes);
            }

            for (; e < sizes.E; e++)
            {
                TVector g0 = TSimd.Zero;
                var probe = vectors + ((nint)j * sizes.E + e) * lanes;
                var factor = factors + (nint)j * lanes;
                for (var q = 0; q < count; q++)
                {
                    var f = TSimd.Load(factor);
                    g0 = TSimd.MultiplyAdd(f, TSimd.Load(probe), g0);
                    probe += vectorStride;
                    factor += factorStride;
                }

                var to = voteGradients + ((nint)j * sizes.E + e) * lanes;
                TSimd.Store(g0, to);
            }
        }
    }
}
