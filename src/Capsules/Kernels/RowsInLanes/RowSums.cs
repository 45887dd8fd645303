using System.Runtime.CompilerServices;

namespace Capsules;

/// <summary>Sums that coupling coefficients weight, a batch row per lane.</summary>
internal static unsafe class RowSums<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
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
