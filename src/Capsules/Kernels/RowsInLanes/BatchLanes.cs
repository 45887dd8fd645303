using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Capsules;

/// <summary>Moves rows of a batch into the lanes of vectors and back.</summary>
/// <remarks>
/// The kernels keep one batch row per lane, so that sums over capsule dimensions and the softmax over capsules need no
/// operation across lanes and any J, D and E fill the vectors. What they read is row-major, so a block of rows has to be
/// transposed; that touches each input once for every pass and costs a few percent of the pass's arithmetic.
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
        var (a, b, c, d) = Transpose(
            Vector128.Load(source),
            Vector128.Load(source + sourceStride),
            Vector128.Load(source + 2 * sourceStride),
            Vector128.Load(source + 3 * sourceStride));
        a.Store(target);
        b.Store(target + targetStride);
        c.Store(target + 2 * targetStride);
        d.Store(target + 3 * targetStride);
    }

    /// <summary>The columns of the 4 by 4 matrix whose rows are given.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float>, Vector128<float>, Vector128<float>, Vector128<float>) Transpose(
        Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d)
    {
        if (Sse.IsSupported)
        {
            var ab = Sse.UnpackLow(a, b);
            var cd = Sse.UnpackLow(c, d);
            var abHigh = Sse.UnpackHigh(a, b);
            var cdHigh = Sse.UnpackHigh(c, d);
            return (Sse.MoveLowToHigh(ab, cd), Sse.MoveHighToLow(cd, ab), Sse.MoveLowToHigh(abHigh, cdHigh), Sse.MoveHighToLow(cdHigh, abHigh));
        }

        if (AdvSimd.Arm64.IsSupported)
        {
            var ac = AdvSimd.Arm64.ZipLow(a, c);
            var bd = AdvSimd.Arm64.ZipLow(b, d);
            var acHigh = AdvSimd.Arm64.ZipHigh(a, c);
            var bdHigh = AdvSimd.Arm64.ZipHigh(b, d);
            return (AdvSimd.Arm64.ZipLow(ac, bd), AdvSimd.Arm64.ZipHigh(ac, bd), AdvSimd.Arm64.ZipLow(acHigh, bdHigh), AdvSimd.Arm64.ZipHigh(acHigh, bdHigh));
        }

        return (
            Vector128.Create(a[0], b[0], c[0], d[0]),
            Vector128.Create(a[1], b[1], c[1], d[1]),
            Vector128.Create(a[2], b[2], c[2], d[2]),
            Vector128.Create(a[3], b[3], c[3], d[3]));
    }
}
