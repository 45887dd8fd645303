using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Capsules;

/// <summary>The votes of one input capsule of one row, an output capsule's entries in the lanes.</summary>
/// <remarks>Weights are read as they lie in memory; four columns at a time share one broadcast of the input.</remarks>
internal static unsafe class EntryVotes<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
    /// <summary>votes[j, e] = sum_d input[d] weight[j, d, e], or added to what is there.</summary>
    /// <param name="columns">Where the weights' vectors lie.</param>
    /// <param name="weight">One input capsule's weights (J, D, E).</param>
    /// <param name="input">The input capsule (D) of one row.</param>
    /// <param name="votes">(J, chunk, lane).</param>
    /// <param name="add">Whether votes are added to what is there.</param>
    /// <param name="ahead">How far from each weight the one lies that will be needed next: asked for before it is.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compute(in EntryColumns columns, float* weight, float* input, float* votes, bool add, nint ahead)
    {
        var offsets = columns.Offsets;
        var (count, inDim, stride, fillLines) = (columns.Count, columns.InDim, columns.Stride, columns.FillLines);
        var column = 0;
        for (; column + 4 <= count; column += 4)
        {
            var w0 = weight + offsets[column];
            var w1 = weight + offsets[column + 1];
            var w2 = weight + offsets[column + 2];
            var w3 = weight + offsets[column + 3];
            TVector x0 = TSimd.Zero, x1 = TSimd.Zero, x2 = TSimd.Zero, x3 = TSimd.Zero;
            if (add)
            {
                x0 = TSimd.Load(votes);
                x1 = TSimd.Load(votes + TSimd.Lanes);
                x2 = TSimd.Load(votes + 2 * TSimd.Lanes);
                x3 = TSimd.Load(votes + 3 * TSimd.Lanes);
            }

            nint at = 0;
            for (var d = 0; d < inDim; d++)
            {
                var u = TSimd.Broadcast(input[d]);
                x0 = TSimd.MultiplyAdd(u, TSimd.Load(w0 + at), x0);
                x1 = TSimd.MultiplyAdd(u, TSimd.Load(w1 + at), x1);
                x2 = TSimd.MultiplyAdd(u, TSimd.Load(w2 + at), x2);
                x3 = TSimd.MultiplyAdd(u, TSimd.Load(w3 + at), x3);
                Prefetch(w0 + at + ahead, w1 + at + ahead, w2 + at + ahead, w3 + at + ahead, fillLines);
                at += stride;
            }

            TSimd.Store(x0, votes);
            TSimd.Store(x1, votes + TSimd.Lanes);
            TSimd.Store(x2, votes + 2 * TSimd.Lanes);
            TSimd.Store(x3, votes + 3 * TSimd.Lanes);
            votes += 4 * TSimd.Lanes;
        }

        for (; column < count; column++)
        {
            var w = weight + offsets[column];
            var x = add ? TSimd.Load(votes) : TSimd.Zero;
            for (var d = 0; d < inDim; d++)
            {
                x = TSimd.MultiplyAdd(TSimd.Broadcast(input[d]), TSimd.Load(w), x);
                w += stride;
            }

            TSimd.Store(x, votes);
            votes += TSimd.Lanes;
        }
    }

    /// <summary>dots[j] = the scalar product of votes[j] and vectors[j].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dots(int capsules, int chunks, float* votes, float* vectors, float* dots)
    {
        nint size = (nint)chunks * TSimd.Lanes;
        var j = 0;
        for (; j + 4 <= capsules; j += 4)
        {
            TVector x0 = TSimd.Zero, x1 = TSimd.Zero, x2 = TSimd.Zero, x3 = TSimd.Zero;
            for (nint at = 0; at < size; at += TSimd.Lanes)
            {
                x0 = TSimd.MultiplyAdd(TSimd.Load(votes + at), TSimd.Load(vectors + at), x0);
                x1 = TSimd.MultiplyAdd(TSimd.Load(votes + size + at), TSimd.Load(vectors + size + at), x1);
                x2 = TSimd.MultiplyAdd(TSimd.Load(votes + 2 * size + at), TSimd.Load(vectors + 2 * size + at), x2);
                x3 = TSimd.MultiplyAdd(TSimd.Load(votes + 3 * size + at), TSimd.Load(vectors + 3 * size + at), x3);
            }

            SimdMath.SumsOfFour<TSimd, TVector>(x0, x1, x2, x3).Store(dots + j);
            votes += 4 * size;
            vectors += 4 * size;
        }

        for (; j < capsules; j++)
        {
            var x = TSimd.Zero;
            for (nint at = 0; at < size; at += TSimd.Lanes)
            {
                x = TSimd.MultiplyAdd(TSimd.Load(votes + at), TSimd.Load(vectors + at), x);
            }

            dots[j] = TSimd.Sum(x);
            votes += size;
            vectors += size;
        }
    }

    // A capsule's weights are used once per pass and row, so what limits a single row is how early they are asked for. Where
    // columns fill lines, four of four lanes share one and those of eight share it in pairs. An address outside the weights does no harm.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(float* a, float* b, float* c, float* d, bool fillLines)
    {
        if (!Sse.IsSupported)
        {
            return;
        }

        Sse.Prefetch0(a);
        if (!fillLines || TSimd.Lanes >= 8)
        {
            Sse.Prefetch0(c);
        }

        if (!fillLines || TSimd.Lanes >= 16)
        {
            Sse.Prefetch0(b);
            Sse.Prefetch0(d);
        }
    }
}
