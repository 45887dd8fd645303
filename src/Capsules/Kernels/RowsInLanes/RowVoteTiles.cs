using System.Runtime.CompilerServices;

namespace Capsules;

/// <summary>Vectors (q, J, E) in lanes whose dot products with the votes are wanted, and where (q, J) of those go.</summary>
internal unsafe struct Probes
{
    public float* Vectors;
    public nint VectorStride;
    public float* Dots;
    public nint DotStride;
    public int Count;
}

/// <summary>The votes of one input capsule for one block of batch rows, made in registers and used there.</summary>
/// <remarks>
/// A tile is one output capsule's next 16 (8, 4, 1) dimensions: as many accumulators as registers hold, each summing over
/// the input dimension a broadcast weight times one vector of inputs. While the votes are in registers their dot products
/// with every probe are taken, so a pass that needs only agreements need not store them at all.
/// </remarks>
internal static unsafe class RowVoteTiles<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
    /// <summary>u_hat[j, e] = sum_d input[d] weight[j, d, e] into <paramref name="votes"/> unless that is null, and the probes' dot products.</summary>
    public static void Compute(in VoteSizes sizes, float* weight, float* input, float* votes, Probes probes)
    {
        var first = 0;

        // 16 accumulators fit the 32 registers of AVX-512, but not the 16 of AVX2.
        if (TSimd.Lanes == 16)
        {
            for (; first + 16 <= sizes.E; first += 16)
            {
                Tile16(sizes, weight, input, votes, probes, first);
            }
        }

        for (; first + 8 <= sizes.E; first += 8)
        {
            Tile8(sizes, weight, input, votes, probes, first);
        }

        for (; first + 4 <= sizes.E; first += 4)
        {
            Tile4(sizes, weight, input, votes, probes, first);
        }

        for (; first < sizes.E; first++)
        {
            Tile1(sizes, weight, input, votes, probes, first);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile16(in VoteSizes sizes, float* weight, float* input, float* votes, Probes probes, int first)
    {
        var lanes = TSimd.Lanes;
        for (var j = 0; j < sizes.J; j++)
        {
            var w = weight + (nint)j * sizes.D * sizes.E + first;
            var u = input;
            TVector v0 = TSimd.Zero, v1 = TSimd.Zero, v2 = TSimd.Zero, v3 = TSimd.Zero, v4 = TSimd.Zero, v5 = TSimd.Zero, v6 = TSimd.Zero, v7 = TSimd.Zero, v8 = TSimd.Zero, v9 = TSimd.Zero, v10 = TSimd.Zero, v11 = TSimd.Zero, v12 = TSimd.Zero, v13 = TSimd.Zero, v14 = TSimd.Zero, v15 = TSimd.Zero;
            for (var d = 0; d < sizes.D; d++)
            {
                var x = TSimd.Load(u);
                v0 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[0]), v0);
                v1 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[1]), v1);
                v2 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[2]), v2);
                v3 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[3]), v3);
                v4 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[4]), v4);
                v5 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[5]), v5);
                v6 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[6]), v6);
                v7 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[7]), v7);
                v8 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[8]), v8);
                v9 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[9]), v9);
                v10 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[10]), v10);
                v11 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[11]), v11);
                v12 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[12]), v12);
                v13 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[13]), v13);
                v14 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[14]), v14);
                v15 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[15]), v15);
                w += sizes.E;
                u += lanes;
            }

            var offset = ((nint)j * sizes.E + first) * lanes;
            if (votes != null)
            {
                var to = votes + offset;
                TSimd.Store(v0, to);
                TSimd.Store(v1, to + lanes);
                TSimd.Store(v2, to + 2 * lanes);
                TSimd.Store(v3, to + 3 * lanes);
                TSimd.Store(v4, to + 4 * lanes);
                TSimd.Store(v5, to + 5 * lanes);
                TSimd.Store(v6, to + 6 * lanes);
                TSimd.Store(v7, to + 7 * lanes);
                TSimd.Store(v8, to + 8 * lanes);
                TSimd.Store(v9, to + 9 * lanes);
                TSimd.Store(v10, to + 10 * lanes);
                TSimd.Store(v11, to + 11 * lanes);
                TSimd.Store(v12, to + 12 * lanes);
                TSimd.Store(v13, to + 13 * lanes);
                TSimd.Store(v14, to + 14 * lanes);
                TSimd.Store(v15, to + 15 * lanes);
            }

            var probe = probes.Vectors + offset;
            var dot = probes.Dots + (nint)j * lanes;
            for (var q = 0; q < probes.Count; q++)
            {
                var sum0 = TSimd.Multiply(v0, TSimd.Load(probe));
                var sum1 = TSimd.Multiply(v1, TSimd.Load(probe + lanes));
                var sum2 = TSimd.Multiply(v2, TSimd.Load(probe + 2 * lanes));
                var sum3 = TSimd.Multiply(v3, TSimd.Load(probe + 3 * lanes));
                sum0 = TSimd.MultiplyAdd(v4, TSimd.Load(probe + 4 * lanes), sum0);
                sum1 = TSimd.MultiplyAdd(v5, TSimd.Load(probe + 5 * lanes), sum1);
                sum2 = TSimd.MultiplyAdd(v6, TSimd.Load(probe + 6 * lanes), sum2);
                sum3 = TSimd.MultiplyAdd(v7, TSimd.Load(probe + 7 * lanes), sum3);
                sum0 = TSimd.MultiplyAdd(v8, TSimd.Load(probe + 8 * lanes), sum0);
                sum1 = TSimd.MultiplyAdd(v9, TSimd.Load(probe + 9 * lanes), sum1);
                sum2 = TSimd.MultiplyAdd(v10, TSimd.Load(probe + 10 * lanes), sum2);
                sum3 = TSimd.MultiplyAdd(v11, TSimd.Load(probe + 11 * lanes), sum3);
                sum0 = TSimd.MultiplyAdd(v12, TSimd.Load(probe + 12 * lanes), sum0);
                sum1 = TSimd.MultiplyAdd(v13, TSimd.Load(probe + 13 * lanes), sum1);
                sum2 = TSimd.MultiplyAdd(v14, TSimd.Load(probe + 14 * lanes), sum2);
                sum3 = TSimd.MultiplyAdd(v15, TSimd.Load(probe + 15 * lanes), sum3);
                var sum = TSimd.Add(TSimd.Add(sum0, sum1), TSimd.Add(sum2, sum3));
                TSimd.Store(first == 0 ? sum : TSimd.Add(TSimd.Load(dot), sum), dot);
                probe += probes.VectorStride;
                dot += probes.DotStride;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8(in VoteSizes sizes, float* weight, float* input, float* votes, Probes probes, int first)
    {
        var lanes = TSimd.Lanes;
        for (var j = 0; j < sizes.J; j++)
        {
            var w = weight + (nint)j * sizes.D * sizes.E + first;
            var u = input;
            TVector v0 = TSimd.Zero, v1 = TSimd.Zero, v2 = TSimd.Zero, v3 = TSimd.Zero, v4 = TSimd.Zero, v5 = TSimd.Zero, v6 = TSimd.Zero, v7 = TSimd.Zero;
            for (var d = 0; d < sizes.D; d++)
            {
                var x = TSimd.Load(u);
                v0 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[0]), v0);
                v1 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[1]), v1);
                v2 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[2]), v2);
                v3 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[3]), v3);
                v4 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[4]), v4);
                v5 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[5]), v5);
                v6 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[6]), v6);
                v7 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[7]), v7);
                w += sizes.E;
                u += lanes;
            }

            var offset = ((nint)j * sizes.E + first) * lanes;
            if (votes != null)
            {
                var to = votes + offset;
                TSimd.Store(v0, to);
                TSimd.Store(v1, to + lanes);
                TSimd.Store(v2, to + 2 * lanes);
                TSimd.Store(v3, to + 3 * lanes);
                TSimd.Store(v4, to + 4 * lanes);
                TSimd.Store(v5, to + 5 * lanes);
                TSimd.Store(v6, to + 6 * lanes);
                TSimd.Store(v7, to + 7 * lanes);
            }

            var probe = probes.Vectors + offset;
            var dot = probes.Dots + (nint)j * lanes;
            for (var q = 0; q < probes.Count; q++)
            {
                var sum0 = TSimd.Multiply(v0, TSimd.Load(probe));
                var sum1 = TSimd.Multiply(v1, TSimd.Load(probe + lanes));
                var sum2 = TSimd.Multiply(v2, TSimd.Load(probe + 2 * lanes));
                var sum3 = TSimd.Multiply(v3, TSimd.Load(probe + 3 * lanes));
                sum0 = TSimd.MultiplyAdd(v4, TSimd.Load(probe + 4 * lanes), sum0);
                sum1 = TSimd.MultiplyAdd(v5, TSimd.Load(probe + 5 * lanes), sum1);
                sum2 = TSimd.MultiplyAdd(v6, TSimd.Load(probe + 6 * lanes), sum2);
                sum3 = TSimd.MultiplyAdd(v7, TSimd.Load(probe + 7 * lanes), sum3);
                var sum = TSimd.Add(TSimd.Add(sum0, sum1), TSimd.Add(sum2, sum3));
                TSimd.Store(first == 0 ? sum : TSimd.Add(TSimd.Load(dot), sum), dot);
                probe += probes.VectorStride;
                dot += probes.DotStride;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4(in VoteSizes sizes, float* weight, float* input, float* votes, Probes probes, int first)
    {
        var lanes = TSimd.Lanes;
        for (var j = 0; j < sizes.J; j++)
        {
            var w = weight + (nint)j * sizes.D * sizes.E + first;
            var u = input;
            TVector v0 = TSimd.Zero, v1 = TSimd.Zero, v2 = TSimd.Zero, v3 = TSimd.Zero;
            for (var d = 0; d < sizes.D; d++)
            {
                var x = TSimd.Load(u);
                v0 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[0]), v0);
                v1 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[1]), v1);
                v2 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[2]), v2);
                v3 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[3]), v3);
                w += sizes.E;
                u += lanes;
            }

            var offset = ((nint)j * sizes.E + first) * lanes;
            if (votes != null)
            {
                var to = votes + offset;
                TSimd.Store(v0, to);
                TSimd.Store(v1, to + lanes);
                TSimd.Store(v2, to + 2 * lanes);
                TSimd.Store(v3, to + 3 * lanes);
            }

            var probe = probes.Vectors + offset;
            var dot = probes.Dots + (nint)j * lanes;
            for (var q = 0; q < probes.Count; q++)
            {
                var sum0 = TSimd.Multiply(v0, TSimd.Load(probe));
                var sum1 = TSimd.Multiply(v1, TSimd.Load(probe + lanes));
                var sum2 = TSimd.Multiply(v2, TSimd.Load(probe + 2 * lanes));
                var sum3 = TSimd.Multiply(v3, TSimd.Load(probe + 3 * lanes));
                var sum = TSimd.Add(TSimd.Add(sum0, sum1), TSimd.Add(sum2, sum3));
                TSimd.Store(first == 0 ? sum : TSimd.Add(TSimd.Load(dot), sum), dot);
                probe += probes.VectorStride;
                dot += probes.DotStride;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1(in VoteSizes sizes, float* weight, float* input, float* votes, Probes probes, int first)
    {
        var lanes = TSimd.Lanes;
        for (var j = 0; j < sizes.J; j++)
        {
            var w = weight + (nint)j * sizes.D * sizes.E + first;
            var u = input;
            TVector v0 = TSimd.Zero;
            for (var d = 0; d < sizes.D; d++)
            {
                var x = TSimd.Load(u);
                v0 = TSimd.MultiplyAdd(x, TSimd.Broadcast(w[0]), v0);
                w += sizes.E;
                u += lanes;
            }

            var offset = ((nint)j * sizes.E + first) * lanes;
            if (votes != null)
            {
                var to = votes + offset;
                TSimd.Store(v0, to);
            }

            var probe = probes.Vectors + offset;
            var dot = probes.Dots + (nint)j * lanes;
            for (var q = 0; q < probes.Count; q++)
            {
                var sum0 = TSimd.Multiply(v0, TSimd.Load(probe));
                var sum = sum0;
                TSimd.Store(first == 0 ? sum : TSimd.Add(TSimd.Load(dot), sum), dot);
                probe += probes.VectorStride;
                dot += probes.DotStride;
            }
        }
    }
}
