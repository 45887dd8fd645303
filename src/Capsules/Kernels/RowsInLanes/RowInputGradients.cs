using System.Runtime.CompilerServices;

namespace Capsules;

/// <summary>From the gradients of one input capsule's votes to the gradient of that capsule.</summary>
internal static unsafe class RowInputGradients<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
    /// <summary>gradients[d] = sum_j sum_e voteGradients[j, e] weight[j, d, e].</summary>
    public static void Compute(in VoteSizes sizes, float* weight, float* voteGradients, float* gradients)
    {
        var first = 0;
        for (; first + 8 <= sizes.D; first += 8)
        {
            Tile8(sizes, weight, voteGradients, gradients, first);
        }

        for (; first + 4 <= sizes.D; first += 4)
        {
            Tile4(sizes, weight, voteGradients, gradients, first);
        }

        for (; first < sizes.D; first++)
        {
            Tile1(sizes, weight, voteGradients, gradients, first);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8(in VoteSizes sizes, float* weight, float* voteGradients, float* gradients, int first)
    {
        var lanes = TSimd.Lanes;
        nint e = sizes.E;
        var g = voteGradients;
        TVector x0 = TSimd.Zero, x1 = TSimd.Zero, x2 = TSimd.Zero, x3 = TSimd.Zero, x4 = TSimd.Zero, x5 = TSimd.Zero, x6 = TSimd.Zero, x7 = TSimd.Zero;
        for (var j = 0; j < sizes.J; j++)
        {
            var w = weight + ((nint)j * sizes.D + first) * e;
            for (var k = 0; k < e; k++)
            {
                var y = TSimd.Load(g);
                x0 = TSimd.MultiplyAdd(y, TSimd.Broadcast(w[0]), x0);
                x1 = TSimd.MultiplyAdd(y, TSimd.Broadcast(w[e]), x1);
                x2 = TSimd.MultiplyAdd(y, TSimd.Broadcast(w[2 * e]), x2);
                x3 = TSimd.MultiplyAdd(y, TSimd.Broadcast(w[3 * e]), x3);
                x4 = TSimd.MultiplyAdd(y, TSimd.Broadcast(w[4 * e]), x4);
                x5 = TSimd.MultiplyAdd(y, TSimd.Broadcast(w[5 * e]), x5);
                x6 = TSimd.MultiplyAdd(y, TSimd.Broadcast(w[6 * e]), x6);
                x7 = TSimd.MultiplyAdd(y, TSimd.Broadcast(w[7 * e]), x7);
                w++;
                g += lanes;
            }
        }

        var to = gradients + (nint)first * lanes;
        TSimd.Store(x0, to);
        TSimd.Store(x1, to + lanes);
        TSimd.Store(x2, to + 2 * lanes);
        TSimd.Store(x3, to + 3 * lanes);
        TSimd.Store(x4, to + 4 * lanes);
        TSimd.Store(x5, to + 5 * lanes);
        TSimd.Store(x6, to + 6 * lanes);
        TSimd.Store(x7, to + 7 * lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4(in VoteSizes sizes, float* weight, float* voteGradients, float* gradients, int first)
    {
        var lanes = TSimd.Lanes;
        nint e = sizes.E;
        var g = voteGradients;
        TVector x0 = TSimd.Zero, x1 = TSimd.Zero, x2 = TSimd.Zero, x3 = TSimd.Zero;
        for (var j = 0; j < sizes.J; j++)
        {
            var w = weight + ((nint)j * sizes.D + first) * e;
            for (var k = 0; k < e; k++)
            {
                var y = TSimd.Load(g);
                x0 = TSimd.MultiplyAdd(y, TSimd.Broadcast(w[0]), x0);
                x1 = TSimd.MultiplyAdd(y, TSimd.Broadcast(w[e]), x1);
                x2 = TSimd.MultiplyAdd(y, TSimd.Broadcast(w[2 * e]), x2);
                x3 = TSimd.MultiplyAdd(y, TSimd.Broadcast(w[3 * e]), x3);
                w++;
                g += lanes;
            }
        }

        var to = gradients + (nint)first * lanes;
        TSimd.Store(x0, to);
        TSimd.Store(x1, to + lanes);
        TSimd.Store(x2, to + 2 * lanes);
        TSimd.Store(x3, to + 3 * lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1(in VoteSizes sizes, float* weight, float* voteGradients, float* gradients, int first)
    {
        var lanes = TSimd.Lanes;
        nint e = sizes.E;
        var g = voteGradients;
        TVector x0 = TSimd.Zero;
        for (var j = 0; j < sizes.J; j++)
        {
            var w = weight + ((nint)j * sizes.D + first) * e;
            for (var k = 0; k < e; k++)
            {
                var y = TSimd.Load(g);
                x0 = TSimd.MultiplyAdd(y, TSimd.Broadcast(w[0]), x0);
                w++;
                g += lanes;
            }
        }

        var to = gradients + (nint)first * lanes;
        TSimd.Store(x0, to);
    }
}
