using System.Runtime.CompilerServices;

namespace Capsules;

/// <summary>The plain sum of votes over input capsules, which uniform coupling needs: a matrix product.</summary>
/// <remarks>The sums stay in registers over all input capsules of a call; no vote exists on its own.</remarks>
internal static unsafe class RowVoteSums<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
    /// <summary>sums[j, e] += sum_n sum_d inputs[n, d] weights[n][j, d, e].</summary>
    public static void Add(in VoteSizes sizes, float** weights, float* inputs, int count, float* sums)
    {
        var first = 0;
        if (TSimd.Lanes == 16)
        {
            for (; first + 16 <= sizes.E; first += 16)
            {
                Tile16(sizes, weights, inputs, count, sums, first);
            }
        }

        for (; first + 8 <= sizes.E; first += 8)
        {
            Tile8(sizes, weights, inputs, count, sums, first);
        }

        for (; first + 4 <= sizes.E; first += 4)
        {
            Tile4(sizes, weights, inputs, count, sums, first);
        }

        for (; first < sizes.E; first++)
        {
            Tile1(sizes, weights, inputs, count, sums, first);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile16(in VoteSizes sizes, float** weights, float* inputs, int count, float* sums, int first)
    {
        var lanes = TSimd.Lanes;
        for (var j = 0; j < sizes.J; j++)
        {
            var skip = (nint)j * sizes.D * sizes.E + first;
            var sum = sums + ((nint)j * sizes.E + first) * lanes;
            var u = inputs;
            var s0 = TSimd.Load(sum);
            var s1 = TSimd.Load(sum + lanes);
            var s2 = TSimd.Load(sum + 2 * lanes);
            var s3 = TSimd.Load(sum + 3 * lanes);
            var s4 = TSimd.Load(sum + 4 * lanes);
            var s5 = TSimd.Load(sum + 5 * lanes);
            var s6 = TSimd.Load(sum + 6 * lanes);
            var s7 = TSimd.Load(sum + 7 * lanes);
            var s8 = TSimd.Load(sum + 8 * lanes);
            var s9 = TSimd.Load(sum + 9 * lanes);
            var s10 = TSimd.Load(sum + 10 * lanes);
            var s11 = TSimd.Load(sum + 11 * lanes);
            var s12 = TSimd.Load(sum + 12 * lanes);
            var s13 = TSimd.Load(sum + 13 * lanes);
            var s14 = TSimd.Load(sum + 14 * lanes);
            var s15 = TSimd.Load(sum + 15 * lanes);
            for (var n = 0; n < count; n++)
            {
                var w = weights[n] + skip;
                for (var d = 0; d < sizes.D; d++)
                {
                    var x = TSimd.Load(u);
                    s0 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[0]), s0);
                    s1 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[1]), s1);
                    s2 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[2]), s2);
                    s3 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[3]), s3);
                    s4 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[4]), s4);
                    s5 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[5]), s5);
                    s6 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[6]), s6);
                    s7 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[7]), s7);
                    s8 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[8]), s8);
                    s9 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[9]), s9);
                    s10 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[10]), s10);
                    s11 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[11]), s11);
                    s12 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[12]), s12);
                    s13 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[13]), s13);
                    s14 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[14]), s14);
                    s15 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[15]), s15);
                    w += sizes.E;
                    u += lanes;
                }
            }

            TSimd.Store(s0, sum);
            TSimd.Store(s1, sum + lanes);
            TSimd.Store(s2, sum + 2 * lanes);
            TSimd.Store(s3, sum + 3 * lanes);
            TSimd.Store(s4, sum + 4 * lanes);
            TSimd.Store(s5, sum + 5 * lanes);
            TSimd.Store(s6, sum + 6 * lanes);
            TSimd.Store(s7, sum + 7 * lanes);
            TSimd.Store(s8, sum + 8 * lanes);
            TSimd.Store(s9, sum + 9 * lanes);
            TSimd.Store(s10, sum + 10 * lanes);
            TSimd.Store(s11, sum + 11 * lanes);
            TSimd.Store(s12, sum + 12 * lanes);
            TSimd.Store(s13, sum + 13 * lanes);
            TSimd.Store(s14, sum + 14 * lanes);
            TSimd.Store(s15, sum + 15 * lanes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8(in VoteSizes sizes, float** weights, float* inputs, int count, float* sums, int first)
    {
        var lanes = TSimd.Lanes;
        for (var j = 0; j < sizes.J; j++)
        {
            var skip = (nint)j * sizes.D * sizes.E + first;
            var sum = sums + ((nint)j * sizes.E + first) * lanes;
            var u = inputs;
            var s0 = TSimd.Load(sum);
            var s1 = TSimd.Load(sum + lanes);
            var s2 = TSimd.Load(sum + 2 * lanes);
            var s3 = TSimd.Load(sum + 3 * lanes);
            var s4 = TSimd.Load(sum + 4 * lanes);
            var s5 = TSimd.Load(sum + 5 * lanes);
            var s6 = TSimd.Load(sum + 6 * lanes);
            var s7 = TSimd.Load(sum + 7 * lanes);
            for (var n = 0; n < count; n++)
            {
                var w = weights[n] + skip;
                for (var d = 0; d < sizes.D; d++)
                {
                    var x = TSimd.Load(u);
                    s0 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[0]), s0);
                    s1 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[1]), s1);
                    s2 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[2]), s2);
                    s3 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[3]), s3);
                    s4 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[4]), s4);
                    s5 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[5]), s5);
                    s6 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[6]), s6);
                    s7 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[7]), s7);
                    w += sizes.E;
                    u += lanes;
                }
            }

            TSimd.Store(s0, sum);
            TSimd.Store(s1, sum + lanes);
            TSimd.Store(s2, sum + 2 * lanes);
            TSimd.Store(s3, sum + 3 * lanes);
            TSimd.Store(s4, sum + 4 * lanes);
            TSimd.Store(s5, sum + 5 * lanes);
            TSimd.Store(s6, sum + 6 * lanes);
            TSimd.Store(s7, sum + 7 * lanes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4(in VoteSizes sizes, float** weights, float* inputs, int count, float* sums, int first)
    {
        var lanes = TSimd.Lanes;
        for (var j = 0; j < sizes.J; j++)
        {
            var skip = (nint)j * sizes.D * sizes.E + first;
            var sum = sums + ((nint)j * sizes.E + first) * lanes;
            var u = inputs;
            var s0 = TSimd.Load(sum);
            var s1 = TSimd.Load(sum + lanes);
            var s2 = TSimd.Load(sum + 2 * lanes);
            var s3 = TSimd.Load(sum + 3 * lanes);
            for (var n = 0; n < count; n++)
            {
                var w = weights[n] + skip;
                for (var d = 0; d < sizes.D; d++)
                {
                    var x = TSimd.Load(u);
                    s0 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[0]), s0);
                    s1 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[1]), s1);
                    s2 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[2]), s2);
                    s3 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[3]), s3);
                    w += sizes.E;
                    u += lanes;
                }
            }

            TSimd.Store(s0, sum);
            TSimd.Store(s1, sum + lanes);
            TSimd.Store(s2, sum + 2 * lanes);
            TSimd.Store(s3, sum + 3 * lanes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1(in VoteSizes sizes, float** weights, float* inputs, int count, float* sums, int first)
    {
        var lanes = TSimd.Lanes;
        for (var j = 0; j < sizes.J; j++)
        {
            var skip = (nint)j * sizes.D * sizes.E + first;
            var sum = sums + ((nint)j * sizes.E + first) * lanes;
            var u = inputs;
            var s0 = TSimd.Load(sum);
            for (var n = 0; n < count; n++)
            {
                var w = weights[n] + skip;
                for (var d = 0; d < sizes.D; d++)
                {
                    var x = TSimd.Load(u);
                    s0 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[0]), s0);
                    w += sizes.E;
                    u += lanes;
                }
            }

            TSimd.Store(s0, sum);
        }
    }
}
