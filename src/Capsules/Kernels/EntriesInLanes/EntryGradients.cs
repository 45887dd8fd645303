using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Capsules;

/// <summary>From the gradients of one input capsule's votes to those of its input and weights, entries in the lanes.</summary>
internal static unsafe class EntryGradients<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
    /// <summary>gradients[d] = sum_j sum_e voteGradients[j, e] weight[j, d, e], of one row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void OfInput(in EntryColumns columns, float* weight, float* voteGradients, float* gradients)
    {
        var offsets = columns.Offsets;
        var (count, stride) = (columns.Count, columns.Stride);
        var d = 0;
        for (; d + 4 <= columns.InDim; d += 4)
        {
            TVector x0 = TSimd.Zero, x1 = TSimd.Zero, x2 = TSimd.Zero, x3 = TSimd.Zero;
            var row = weight + d * stride;
            for (var column = 0; column < count; column++)
            {
                var y = TSimd.Load(voteGradients + (nint)column * TSimd.Lanes);
                var w = row + offsets[column];
                x0 = TSimd.MultiplyAdd(y, TSimd.Load(w), x0);
                x1 = TSimd.MultiplyAdd(y, TSimd.Load(w + stride), x1);
                x2 = TSimd.MultiplyAdd(y, TSimd.Load(w + 2 * stride), x2);
                x3 = TSimd.MultiplyAdd(y, TSimd.Load(w + 3 * stride), x3);
            }

            SimdMath.SumsOfFour<TSimd, TVector>(x0, x1, x2, x3).Store(gradients + d);
        }

        for (; d < columns.InDim; d++)
        {
            var sum = TSimd.Zero;
            for (var column = 0; column < count; column++)
            {
                sum = TSimd.MultiplyAdd(TSimd.Load(voteGradients + (nint)column * TSimd.Lanes), TSimd.Load(weight + offsets[column] + d * stride), sum);
            }

            gradients[d] = TSimd.Sum(sum);
        }
    }

    /// <summary>gradients[j, d, e] (+)= sum over rows of inputs[row, d] voteGradients[row, j, e].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void OfWeight(
        in EntryColumns columns, int rows, float* inputs, nint inputStride, float* voteGradients, nint gradientStride, float* gradients, bool add)
    {
        var stride = columns.Stride;

        // From the last column to the first: one that begins where another ends writes over the zeros of their overlap.
        for (var column = columns.Count - 1; column >= 0; column--)
        {
            var to = gradients + columns.Offsets[column];
            var source = voteGradients + (nint)column * TSimd.Lanes;
            var first = TSimd.Load(source);
            for (var d = 0; d < columns.InDim; d++)
            {
                var sum = TSimd.Multiply(TSimd.Broadcast(inputs[d]), first);
                for (var row = 1; row < rows; row++)
                {
                    sum = TSimd.MultiplyAdd(TSimd.Broadcast(inputs[row * inputStride + d]), TSimd.Load(source + row * gradientStride), sum);
                }

                TSimd.Store(add ? TSimd.Add(TSimd.Load(to), sum) : sum, to);
                to += stride;
            }
        }
    }
}
