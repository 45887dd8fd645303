using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Capsules;

/// <summary>Where the blocks of batch rows lie, for a sum over all of them.</summary>
internal readonly record struct BatchBlocks(int Count, nint InputStride, nint GradientStride);

/// <summary>From the gradients of one input capsule's votes to the gradient of its weights.</summary>
/// <remarks>
/// This sum runs over the batch, which lies in the lanes: each accumulator is one weight's gradient, spread over the lanes
/// until the last block, and only then folded. Four at a time are folded by one 4 by 4 transposition.
/// </remarks>
internal static unsafe class RowWeightGradients<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
    /// <summary>gradients[j, d, e] (+)= sum over the batch of input[d] voteGradients[j, e].</summary>
    public static void Compute(in VoteSizes sizes, in BatchBlocks blocks, float* input, float* voteGradients, float* gradients, bool add)
    {
        var lanes = TSimd.Lanes;
        nint stride = sizes.E;
        for (var j = 0; j < sizes.J; j++)
        {
            var e = 0;
            for (; e + 4 <= sizes.E; e += 4)
            {
                var g = voteGradients + ((nint)j * sizes.E + e) * lanes;
                var to = gradients + (nint)j * sizes.D * sizes.E + e;
                var d = 0;
                for (; d + 4 <= sizes.D; d += 4)
                {
                    Tile4(blocks, input + (nint)d * lanes, g, to + d * stride, stride, add);
                }

                for (; d < sizes.D; d++)
                {
                    Tile1(blocks, input + (nint)d * lanes, g, to + d * stride, stride, add);
                }
            }

            for (; e < sizes.E; e++)
            {
                var g = voteGradients + ((nint)j * sizes.E + e) * lanes;
                var to = gradients + (nint)j * sizes.D * sizes.E + e;
                for (var d = 0; d < sizes.D; d++)
                {
                    One(blocks, input + (nint)d * lanes, g, to + d * stride, add);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4(in BatchBlocks blocks, float* input, float* voteGradients, float* target, nint stride, bool add)
    {
        var lanes = TSimd.Lanes;
        var u = input;
        var g = voteGradients;
        TVector x00 = TSimd.Zero, x01 = TSimd.Zero, x02 = TSimd.Zero, x03 = TSimd.Zero, x10 = TSimd.Zero, x11 = TSimd.Zero, x12 = TSimd.Zero, x13 = TSimd.Zero, x20 = TSimd.Zero, x21 = TSimd.Zero, x22 = TSimd.Zero, x23 = TSimd.Zero, x30 = TSimd.Zero, x31 = TSimd.Zero, x32 = TSimd.Zero, x33 = TSimd.Zero;
        for (var block = 0; block < blocks.Count; block++)
        {
            var g0 = TSimd.Load(g);
            var g1 = TSimd.Load(g + lanes);
            var g2 = TSimd.Load(g + 2 * lanes);
            var g3 = TSimd.Load(g + 3 * lanes);
            var y = TSimd.Load(u);
            x00 = TSimd.MultiplyAdd(y, g0, x00);
            x01 = TSimd.MultiplyAdd(y, g1, x01);
            x02 = TSimd.MultiplyAdd(y, g2, x02);
            x03 = TSimd.MultiplyAdd(y, g3, x03);
            y = TSimd.Load(u + lanes);
            x10 = TSimd.MultiplyAdd(y, g0, x10);
            x11 = TSimd.MultiplyAdd(y, g1, x11);
            x12 = TSimd.MultiplyAdd(y, g2, x12);
            x13 = TSimd.MultiplyAdd(y, g3, x13);
            y = TSimd.Load(u + 2 * lanes);
            x20 = TSimd.MultiplyAdd(y, g0, x20);
            x21 = TSimd.MultiplyAdd(y, g1, x21);
            x22 = TSimd.MultiplyAdd(y, g2, x22);
            x23 = TSimd.MultiplyAdd(y, g3, x23);
            y = TSimd.Load(u + 3 * lanes);
            x30 = TSimd.MultiplyAdd(y, g0, x30);
            x31 = TSimd.MultiplyAdd(y, g1, x31);
            x32 = TSimd.MultiplyAdd(y, g2, x32);
            x33 = TSimd.MultiplyAdd(y, g3, x33);
            u += blocks.InputStride;
            g += blocks.GradientStride;
        }

        Store(x00, x01, x02, x03, target, add);
        Store(x10, x11, x12, x13, target + stride, add);
        Store(x20, x21, x22, x23, target + 2 * stride, add);
        Store(x30, x31, x32, x33, target + 3 * stride, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1(in BatchBlocks blocks, float* input, float* voteGradients, float* target, nint stride, bool add)
    {
        var lanes = TSimd.Lanes;
        var u = input;
        var g = voteGradients;
        TVector x00 = TSimd.Zero, x01 = TSimd.Zero, x02 = TSimd.Zero, x03 = TSimd.Zero;
        for (var block = 0; block < blocks.Count; block++)
        {
            var g0 = TSimd.Load(g);
            var g1 = TSimd.Load(g + lanes);
            var g2 = TSimd.Load(g + 2 * lanes);
            var g3 = TSimd.Load(g + 3 * lanes);
            var y = TSimd.Load(u);
            x00 = TSimd.MultiplyAdd(y, g0, x00);
            x01 = TSimd.MultiplyAdd(y, g1, x01);
            x02 = TSimd.MultiplyAdd(y, g2, x02);
            x03 = TSimd.MultiplyAdd(y, g3, x03);
            u += blocks.InputStride;
            g += blocks.GradientStride;
        }

        Store(x00, x01, x02, x03, target, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One(in BatchBlocks blocks, float* input, float* voteGradients, float* target, bool add)
    {
        var sum = TSimd.Zero;
        for (var block = 0; block < blocks.Count; block++)
        {
            sum = TSimd.MultiplyAdd(TSimd.Load(input + block * blocks.InputStride), TSimd.Load(voteGradients + block * blocks.GradientStride), sum);
        }

        *target = TSimd.Sum(sum) + (add ? *target : 0f);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(TVector a, TVector b, TVector c, TVector d, float* target, bool add)
    {
        var sum = SimdMath.SumsOfFour<TSimd, TVector>(a, b, c, d);
        (add ? sum + Vector128.Load(target) : sum).Store(target);
    }
}
