using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Capsules;

/// <summary>Brings 16 planes into runs of lanes and back, eight by eight elements in registers.</summary>
/// <remarks>Element by element it would take longer than the transform: a vector that is read just after its parts were written waits for them.</remarks>
internal static unsafe class LaneTranspose
{
    private const int Lanes = LaneTransform.Lanes, Block = 8;

    /// <summary>runs[i, lane] = planes[lane][i], zero in lanes from <paramref name="count"/> on.</summary>
    /// <param name="planes">The first plane.</param>
    /// <param name="planeStride">From one plane to the next.</param>
    /// <param name="count">Planes, at most 16.</param>
    /// <param name="size">Elements of a plane.</param>
    /// <param name="runs">(size, 16).</param>
    public static void ToRuns(float* planes, long planeStride, int count, int size, float* runs)
    {
        if (Avx.IsSupported && count == Lanes && size >= Block)
        {
            for (var first = 0; first < size; first += Block)
            {
                var i = Math.Min(first, size - Block);      // the last block overlaps the one before
                Transpose(planes + i, planeStride, runs + Lanes * i, Lanes);
                Transpose(planes + i + Block * planeStride, planeStride, runs + Lanes * i + Block, Lanes);
            }

            return;
        }

        for (var i = 0; i < size; i++)
        {
            for (var lane = 0; lane < Lanes; lane++)
            {
                runs[Lanes * i + lane] = lane < count ? planes[lane * planeStride + i] : 0;
            }
        }
    }

    /// <summary>planes[lane][i] = runs[i, lane].</summary>
    public static void ToPlanes(float* runs, float* planes, long planeStride, int count, int size)
    {
        if (Avx.IsSupported && count == Lanes && size >= Block)
        {
            for (var first = 0; first < size; first += Block)
            {
                var i = Math.Min(first, size - Block);
                Transpose(runs + Lanes * i, Lanes, planes + i, planeStride);
                Transpose(runs + Lanes * i + Block, Lanes, planes + i + Block * planeStride, planeStride);
            }

            return;
        }

        for (var lane = 0; lane < count; lane++)
        {
            for (var i = 0; i < size; i++)
            {
                planes[lane * planeStride + i] = runs[Lanes * i + lane];
            }
        }
    }

    // target[j, i] = source[i, j] for eight rows and columns.
    private static void Transpose(float* source, long sourceStride, float* target, long targetStride)
    {
        var (a, b, c, d) = Pairs(source, sourceStride);
        var (e, f, g, h) = Pairs(source + 4 * sourceStride, sourceStride);
        Avx.Permute2x128(a, e, 0x20).Store(target);
        Avx.Permute2x128(b, f, 0x20).Store(target + targetStride);
        Avx.Permute2x128(c, g, 0x20).Store(target + 2 * targetStride);
        Avx.Permute2x128(d, h, 0x20).Store(target + 3 * targetStride);
        Avx.Permute2x128(a, e, 0x31).Store(target + 4 * targetStride);
        Avx.Permute2x128(b, f, 0x31).Store(target + 5 * targetStride);
        Avx.Permute2x128(c, g, 0x31).Store(target + 6 * targetStride);
        Avx.Permute2x128(d, h, 0x31).Store(target + 7 * targetStride);
    }

    // Four rows: column j of them in the lower half of result j, column j + 4 in its upper half.
    private static (Vector256<float> First, Vector256<float> Second, Vector256<float> Third, Vector256<float> Fourth) Pairs(float* source, long stride)
    {
        var (a, b) = (Vector256.Load(source), Vector256.Load(source + stride));
        var (c, d) = (Vector256.Load(source + 2 * stride), Vector256.Load(source + 3 * stride));
        var (lowAB, highAB, lowCD, highCD) = (Avx.UnpackLow(a, b), Avx.UnpackHigh(a, b), Avx.UnpackLow(c, d), Avx.UnpackHigh(c, d));
        return (Avx.Shuffle(lowAB, lowCD, 0x44), Avx.Shuffle(lowAB, lowCD, 0xEE), Avx.Shuffle(highAB, highCD, 0x44), Avx.Shuffle(highAB, highCD, 0xEE));
    }
}
