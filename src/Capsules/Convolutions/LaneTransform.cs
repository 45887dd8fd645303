using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Capsules;

/// <summary>
/// A separable linear map of planes, Y = L X R^T, between two memory orders: planes, whose elements are neighbours, and lanes,
/// where the same element of 16 neighbouring planes is one run of floats. Every transform of a Winograd convolution is one of its
/// two directions.
/// </summary>
internal unsafe struct LaneTransform
{
    /// <summary>Planes that are transformed together: a cache line of floats.</summary>
    public const int Lanes = 16;

    /// <summary>L (P, H) and R (Q, W).</summary>
    public int P, Q, H, W;

    public int* RowStarts, RowIndices, ColumnStarts, ColumnIndices;
    public float* RowFactors, ColumnFactors;

    /// <summary>Where element (p, q) of the first lane is, in floats from the lanes' base (P, Q).</summary>
    public long* Offsets;

    public static LaneTransform Of(LinearMap rows, LinearMap columns, long* offsets) => new()
    {
        P = rows.Rows,
        Q = columns.Rows,
        H = rows.Columns,
        W = columns.Columns,
        RowStarts = rows.Starts,
        RowIndices = rows.Indices,
        RowFactors = rows.Factors,
        ColumnStarts = columns.Starts,
        ColumnIndices = columns.Indices,
        ColumnFactors = columns.Factors,
        Offsets = offsets,
    };

    /// <summary>Floats of scratch memory that either direction needs.</summary>
    public readonly long Scratch => (long)Lanes * (H * W + Math.Max(W, Q) + W);

    /// <summary>Planes to lanes: lanes[p, q] = sum over i, j of L[p, i] R[q, j] planes[i, j].</summary>
    /// <param name="planes">The first plane's first element.</param>
    /// <param name="planeStride">From one plane to the next.</param>
    /// <param name="count">Planes, at most <see cref="Lanes"/>.</param>
    /// <param name="lanes">The base that the offsets count from.</param>
    /// <param name="scratch">Aligned memory of <see cref="Scratch"/> floats.</param>
    public readonly void ToLanes(float* planes, long planeStride, int count, float* lanes, float* scratch)
    {
        var input = scratch;
        var row = scratch + (long)Lanes * H * W;
        Load(planes, planeStride, count, input);
        for (var p = 0; p < P; p++)
        {
            var (start, end) = (RowStarts[p], RowStarts[p + 1]);
            for (var j = 0; j < W; j++)
            {
                Vector256<float> low = default, high = default;
                for (var k = start; k < end; k++)
                {
                    var x = input + (long)Lanes * (RowIndices[k] * W + j);
                    var factor = Vector256.Create(RowFactors[k]);
                    low = Vector256.MultiplyAddEstimate(factor, Vector256.LoadAligned(x), low);
                    high = Vector256.MultiplyAddEstimate(factor, Vector256.LoadAligned(x + 8), high);
                }

                low.StoreAligned(row + Lanes * j);
                high.StoreAligned(row + Lanes * j + 8);
            }

            for (var q = 0; q < Q; q++)
            {
                Vector256<float> low = default, high = default;
                for (var k = ColumnStarts[q]; k < ColumnStarts[q + 1]; k++)
                {
                    var x = row + Lanes * ColumnIndices[k];
                    var factor = Vector256.Create(ColumnFactors[k]);
                    low = Vector256.MultiplyAddEstimate(factor, Vector256.LoadAligned(x), low);
                    high = Vector256.MultiplyAddEstimate(factor, Vector256.LoadAligned(x + 8), high);
                }

                var target = lanes + Offsets[p * Q + q];
                if (count == Lanes)
                {
                    low.Store(target);
                    high.Store(target + 8);
                }
                else
                {
                    StorePart(low, high, target, count);
                }
            }
        }
    }

    /// <summary>Lanes to planes, the transpose: planes[i, j] = sum over p, q of L[p, i] R[q, j] lanes[p, q].</summary>
    public readonly void ToPlanes(float* lanes, float* planes, long planeStride, int count, float* scratch)
    {
        var output = scratch;
        var row = scratch + (long)Lanes * H * W;
        var part = row + Lanes * W;
        NativeMemory.Clear(output, (nuint)((long)Lanes * H * W * sizeof(float)));
        for (var p = 0; p < P; p++)
        {
            var (start, end) = (RowStarts[p], RowStarts[p + 1]);
            if (start == end)
            {
                continue;
            }

            NativeMemory.Clear(row, (nuint)(Lanes * W * sizeof(float)));
            for (var q = 0; q < Q; q++)
            {
                var source = lanes + Offsets[p * Q + q];
                if (count < Lanes)
                {
                    LoadPart(source, part, count);
                    source = part;
                }

                var (low, high) = (Vector256.Load(source), Vector256.Load(source + 8));
                for (var k = ColumnStarts[q]; k < ColumnStarts[q + 1]; k++)
                {
                    var y = row + Lanes * ColumnIndices[k];
                    var factor = Vector256.Create(ColumnFactors[k]);
                    Vector256.MultiplyAddEstimate(factor, low, Vector256.LoadAligned(y)).StoreAligned(y);
                    Vector256.MultiplyAddEstimate(factor, high, Vector256.LoadAligned(y + 8)).StoreAligned(y + 8);
                }
            }

            for (var k = start; k < end; k++)
            {
                var factor = Vector256.Create(RowFactors[k]);
                var y = output + (long)Lanes * W * RowIndices[k];
                for (var j = 0; j < Lanes * W; j += 8)
                {
                    Vector256.MultiplyAddEstimate(factor, Vector256.LoadAligned(row + j), Vector256.LoadAligned(y + j)).StoreAligned(y + j);
                }
            }
        }

        for (var lane = 0; lane < count; lane++)
        {
            var plane = planes + lane * planeStride;
            for (var i = 0; i < H * W; i++)
            {
                plane[i] = output[(long)Lanes * i + lane];
            }
        }
    }

    private readonly void Load(float* planes, long planeStride, int count, float* input)
    {
        if (count < Lanes)
        {
            NativeMemory.Clear(input, (nuint)((long)Lanes * H * W * sizeof(float)));
        }

        for (var lane = 0; lane < count; lane++)
        {
            var plane = planes + lane * planeStride;
            for (var i = 0; i < H * W; i++)
            {
                input[(long)Lanes * i + lane] = plane[i];
            }
        }
    }

    private static void StorePart(Vector256<float> low, Vector256<float> high, float* target, int count)
    {
        var values = stackalloc float[Lanes];
        low.Store(values);
        high.Store(values + 8);
        new ReadOnlySpan<float>(values, count).CopyTo(new Span<float>(target, count));
    }

    private static void LoadPart(float* source, float* part, int count)
    {
        new Span<float>(part, Lanes).Clear();
        new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(part, count));
    }
}
