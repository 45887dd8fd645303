using System.Runtime.CompilerServices;

namespace Capsules;

/// <summary>Sums that coupling coefficients weight, an output capsule's entries in the lanes.</summary>
internal static unsafe class EntrySums<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
    /// <summary>sums[j, e] += factors[j] votes[j, e].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddWeighted(in RoutingProblem problem, float* factors, float* votes, float* sums)
    {
        var chunks = problem.Chunks;
        for (var j = 0; j < problem.J; j++)
        {
            var factor = TSimd.Broadcast(factors[j]);
            for (var chunk = 0; chunk < chunks; chunk++)
            {
                TSimd.Store(TSimd.MultiplyAdd(factor, TSimd.Load(votes), TSimd.Load(sums)), sums);
                votes += TSimd.Lanes;
                sums += TSimd.Lanes;
            }
        }
    }

    /// <summary>voteGradients[j, e] = sum_q factors[q, j] vectors[q, j, e].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Combine(in RoutingProblem problem, int count, float* factors, float* vectors, float* voteGradients)
    {
        var (chunks, couplings, capsules) = (problem.Chunks, problem.Couplings, problem.Capsules);
        nint at = 0;
        for (var j = 0; j < problem.J; j++)
        {
            for (var chunk = 0; chunk < chunks; chunk++)
            {
                var sum = TSimd.Zero;
                for (var q = 0; q < count; q++)
                {
                    sum = TSimd.MultiplyAdd(TSimd.Broadcast(factors[q * couplings + j]), TSimd.Load(vectors + q * capsules + at), sum);
                }

                TSimd.Store(sum, voteGradients + at);
                at += TSimd.Lanes;
            }
        }
    }
}
