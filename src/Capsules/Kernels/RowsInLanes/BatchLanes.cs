using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Capsules;

/// <summary>Moves rows of a batch into the lanes of vectors and back.</summary>
/// <remarks>
/// With one batch row per lane, sums over capsule dimensions and the softmax over capsules need no operation across lanes, and
/// any J, D and E fill the vectors. What is read is row-major, so a block of rows has to be transposed; that touches each input
/// once for every pass and costs a few percent of the pass's arithmetic.
/// </remarks>
internal static unsafe class BatchLanes
{
    /// <summary>target[column * lanes + row] = source[row * stride + column]; rows that the batch lacks become 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(float* source, nint stride, int rows, int columns, float* target, int lanes)
    {
        for (var row = 0; row < lanes; row += 4)
        {
            var from = source + row * stride;
            var to = target + row;
            var column = 0;
            if (row + 4 <= rows)
            {
                for (; column + 4 <= columns; column += 4)
                {
                    Transpose(from + column, stride, to + (nint)column * lanes, lanes);
                }
            }

            var present = Math.Clamp(rows - row, 0, 4);
            for (; column < columns; column++)
            {
                for (var i = 0; i < 4; i++)
                {
                    to[(nint)column * lanes + i] = i < present ? from[i * stride + column] : 0f;
                }
            }
        }
    }

    /// <summary>target[row * stride + column] = source[column * lanes + row], for the rows that the batch has.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Unpack(float* source, int lanes, int rows, int columns, float* target, nint stride)
    {
        for (var row = 0; row < rows; row += 4)
        {
            var from = source + row;
            var to = target + row * stride;
            var column = 0;
            if (row + 4 <= rows)
            {
                for (; column + 4 <= columns; column += 4)
                {
                    Transpose(from + (nint)column * lanes, lanes, to + column, stride);
                }
            }

            var present = Math.Min(rows - row, 4);
            for (; column < columns; column++)
            {
                for (var i = 0; i < present; i++)
                {
                    to[i * stride + column] = from[(nint)column * lanes + i];
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose(float* source, nint sourceStride, float* target, nint targetStride)
    {
        var (a, b, c, d) = SimdMath.Transpose(
            Vector128.Load(source),
            Vector128.Load(source + sourceStride),
            Vector128.Load(source + 2 * sourceStride),
            Vector128.Load(source + 3 * sourceStride));
        a.Store(target);
        b.Store(target + targetStride);
        c.Store(target + 2 * targetStride);
        d.Store(target + 3 * targetStride);
    }
}
