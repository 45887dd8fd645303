using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Capsules;

/// <summary>
/// A separable linear map of planes, Y = L X R^T, between two memory orders: planes, whose elements are neighbours, and lanes,
/// where the same element of 16 neighbouring planes is one run of floats. Every transform of a Winograd convolution is one of its
/// two directions.
/// </summary>
/// <remarks>Either direction is two passes of short sums over runs of lanes, one along each axis.</remarks>
internal unsafe struct LaneTransform
{
    /// <summary>Planes that are transformed together: a cache line of floats.</summary>
    public const int Lanes = 16;

    /// <summary>Sums that are computed side by side: they share the factors, and none waits for another.</summary>
    private const int Streams = 4;

    /// <summary>L (P, H) and R (Q, W), and their transposes.</summary>
    public SparseRows Rows, Columns, RowsTransposed, ColumnsTransposed;

    /// <summary>Where element (p, q) of the first lane is, in floats from the lanes' base (P, Q).</summary>
    public long* Offsets;

    private readonly int P => Rows.Count;

    private readonly int Q => Columns.Count;

    private readonly int H => RowsTransposed.Count;

    private readonly int W => ColumnsTransposed.Count;

    public static LaneTransform Of(LinearMap rows, LinearMap columns, long* offsets) => new()
    {
        Rows = rows.Rows,
        Columns = columns.Rows,
        RowsTransposed = rows.Transposed,
        ColumnsTransposed = columns.Transposed,
        Offsets = offsets,
    };

    /// <summary>Floats of scratch memory that either direction needs.</summary>
    public readonly long Scratch => Lanes * ((long)H * W + Math.Max((long)Streams * W, (long)P * W + (long)Streams * Q));

    /// <summary>Planes to lanes: lanes[p, q] = sum over i, j of L[p, i] R[q, j] planes[i, j].</summary>
    /// <param name="planes">The first plane's first element.</param>
    /// <param name="planeStride">From one plane to the next.</param>
    /// <param name="count">Planes, at most <see cref="Lanes"/>.</param>
    /// <param name="lanes">The base that the offsets count from.</param>
    /// <param name="scratch">Aligned memory of <see cref="Scratch"/> floats.</param>
    public readonly void ToLanes(float* planes, long planeStride, int count, float* lanes, float* scratch) =>
        Run(toLanes: true, planes, planeStride, count, lanes, scratch);

    /// <summary>Lanes to planes, the transpose: planes[i, j] = sum over p, q of L[p, i] R[q, j] lanes[p, q].</summary>
    public readonly void ToPlanes(float* lanes, float* planes, long planeStride, int count, float* scratch) =>
        Run(toLanes: false, planes, planeStride, count, lanes, scratch);

    // In the widest vectors of this machine.
    private readonly void Run(bool toLanes, float* planes, long planeStride, int count, float* lanes, float* scratch)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Run<Simd512, Vector512<float>>(toLanes, planes, planeStride, count, lanes, scratch);
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            Run<Simd256, Vector256<float>>(toLanes, planes, planeStride, count, lanes, scratch);
        }
        else
        {
            Run<Simd128, Vector128<float>>(toLanes, planes, planeStride, count, lanes, scratch);
        }
    }

    private readonly void Run<TSimd, TVector>(bool toLanes, float* planes, long planeStride, int count, float* lanes, float* scratch)
        where TSimd : struct, ISimd<TVector>
        where TVector : unmanaged
    {
        if (toLanes)
        {
            ToLanes<TSimd, TVector>(planes, planeStride, count, lanes, scratch);
        }
        else
        {
            ToPlanes<TSimd, TVector>(lanes, planes, planeStride, count, scratch);
        }
    }

    private readonly void ToLanes<TSimd, TVector>(float* planes, long planeStride, int count, float* lanes, float* scratch)
        where TSimd : struct, ISimd<TVector>
        where TVector : unmanaged
    {
        var input = scratch;                                    // (H, W)
        var sums = scratch + (long)Lanes * H * W;               // (streams, W)
        var results = stackalloc float[Lanes];
        LaneTranspose.ToRuns(planes, planeStride, count, H * W, input);
        for (var p = 0; p < P; p += Streams)
        {
            var streams = Math.Min(Streams, P - p);
            for (var s = 0; s < streams; s++)
            {
                Sums<TSimd, TVector>(Rows, p + s, input, Lanes * W, W, sums + Lanes * W * s);
            }

            for (var q = 0; q < Q; q++)
            {
                var to = Offsets + p * Q + q;
                if (streams == Streams && count == Lanes)
                {
                    Sum<TSimd, TVector>(Columns, q, sums, Lanes, Lanes * W, lanes + to[0], lanes + to[Q], lanes + to[2 * Q], lanes + to[3 * Q]);
                    continue;
                }

                for (var s = 0; s < streams; s++)
                {
                    var target = lanes + to[s * Q];
                    Sum<TSimd, TVector>(Columns, q, sums + Lanes * W * s, Lanes, count == Lanes ? target : results);
                    if (count < Lanes)
                    {
                        new ReadOnlySpan<float>(results, count).CopyTo(new Span<float>(target, count));
                    }
                }
            }
        }
    }

    private readonly void ToPlanes<TSimd, TVector>(float* lanes, float* planes, long planeStride, int count, float* scratch)
        where TSimd : struct, ISimd<TVector>
        where TVector : unmanaged
    {
        var output = scratch;                                   // (H, W)
        var sums = scratch + (long)Lanes * H * W;               // (P, W)
        var input = sums + (long)Lanes * P * W;                 // (streams, Q)
        for (var p = 0; p < P; p += Streams)
        {
            var streams = Math.Min(Streams, P - p);
            for (var s = 0; s < streams; s++)
            {
                for (var q = 0; q < Q; q++)
                {
                    var run = new Span<float>(input + (long)Lanes * (Q * s + q), Lanes);
                    new ReadOnlySpan<float>(lanes + Offsets[(p + s) * Q + q], count).CopyTo(run);
                    run[count..].Clear();
                }
            }

            for (var j = 0; j < W; j++)
            {
                var to = sums + (long)Lanes * (p * W + j);
                if (streams == Streams)
                {
                    Sum<TSimd, TVector>(ColumnsTransposed, j, input, Lanes, Lanes * Q, to, to + Lanes * W, to + 2 * Lanes * W, to + 3 * Lanes * W);
                    continue;
                }

                for (var s = 0; s < streams; s++)
                {
                    Sum<TSimd, TVector>(ColumnsTransposed, j, input + Lanes * Q * s, Lanes, to + Lanes * W * s);
                }
            }
        }

        for (var i = 0; i < H; i++)
        {
            Sums<TSimd, TVector>(RowsTransposed, i, sums, Lanes * W, W, output + (long)Lanes * W * i);
        }

        LaneTranspose.ToPlanes(output, planes, planeStride, count, H * W);
    }

    // A row of the map applied to each of some neighbouring runs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Sums<TSimd, TVector>(in SparseRows map, int row, float* source, nint entryStride, int runs, float* target)
        where TSimd : struct, ISimd<TVector>
        where TVector : unmanaged
    {
        var j = 0;
        for (; j + Streams <= runs; j += Streams)
        {
            var to = target + Lanes * j;
            Sum<TSimd, TVector>(map, row, source + Lanes * j, entryStride, Lanes, to, to + Lanes, to + 2 * Lanes, to + 3 * Lanes);
        }

        for (; j < runs; j++)
        {
            Sum<TSimd, TVector>(map, row, source + Lanes * j, entryStride, target + Lanes * j);
        }
    }

    // target = sum over the row's entries of factor * the run that the entry's index selects.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Sum<TSimd, TVector>(in SparseRows map, int row, float* source, nint entryStride, float* target)
        where TSimd : struct, ISimd<TVector>
        where TVector : unmanaged
    {
        for (var lane = 0; lane < Lanes; lane += TSimd.Lanes)
        {
            var sum = TSimd.Zero;
            for (int k = map.Starts[row], end = map.Starts[row + 1]; k < end; k++)
            {
                sum = TSimd.MultiplyAdd(TSimd.Broadcast(map.Factors[k]), TSimd.Load(source + map.Indices[k] * entryStride + lane), sum);
            }

            TSimd.Store(sum, target + lane);
        }
    }

    // The same for four runs at a distance from each other.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Sum<TSimd, TVector>(
        in SparseRows map, int row, float* source, nint entryStride, nint streamStride, float* first, float* second, float* third, float* fourth)
        where TSimd : struct, ISimd<TVector>
        where TVector : unmanaged
    {
        for (var lane = 0; lane < Lanes; lane += TSimd.Lanes)
        {
            var (a, b, c, d) = (TSimd.Zero, TSimd.Zero, TSimd.Zero, TSimd.Zero);
            for (int k = map.Starts[row], end = map.Starts[row + 1]; k < end; k++)
            {
                var factor = TSimd.Broadcast(map.Factors[k]);
                var x = source + map.Indices[k] * entryStride + lane;
                a = TSimd.MultiplyAdd(factor, TSimd.Load(x), a);
                b = TSimd.MultiplyAdd(factor, TSimd.Load(x + streamStride), b);
                c = TSimd.MultiplyAdd(factor, TSimd.Load(x + 2 * streamStride), c);
                d = TSimd.MultiplyAdd(factor, TSimd.Load(x + 3 * streamStride), d);
            }

            TSimd.Store(a, first + lane);
            TSimd.Store(b, second + lane);
            TSimd.Store(c, third + lane);
            TSimd.Store(d, fourth + lane);
        }
    }
}
