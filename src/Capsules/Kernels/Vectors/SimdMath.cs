using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Capsules;

/// <summary>Elementary functions on vectors of any width, and what moves numbers across lanes.</summary>
internal static class SimdMath
{
    /// <summary>e^x for x at most 0, as a softmax needs it once the maximum is subtracted: about 1 ulp, NaN stays NaN.</summary>
    /// <remarks>
    /// x = n ln 2 + r with |r| at most ln 2 / 2, so e^x = 2^n e^r, and a Taylor polynomial of degree 7 gives e^r to half an ulp.
    /// Below the smallest normal float the result is 0, which also serves x = -infinity (a masked logit).
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector ExpOfNonPositive<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : unmanaged
    {
        var n = TSimd.Round(TSimd.Multiply(x, TSimd.Broadcast(1.44269504f)));
        // ln 2 in two parts: the first has so few bits that n times it is exact.
        var r = TSimd.MultiplyAdd(n, TSimd.Broadcast(-0.693359375f), x);
        r = TSimd.MultiplyAdd(n, TSimd.Broadcast(2.12194440e-4f), r);

        var p = TSimd.MultiplyAdd(r, TSimd.Broadcast(1f / 5040f), TSimd.Broadcast(1f / 720f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1f / 120f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1f / 24f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1f / 6f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(0.5f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1f));

        return TSimd.ZeroWhereLess(x, TSimd.Broadcast(-87.3f), TSimd.ScaleByPowerOfTwo(p, n));
    }

    /// <summary>The sums over the lanes of four vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SumsOfFour<TSimd, TVector>(TVector a, TVector b, TVector c, TVector d)
        where TSimd : struct, ISimd<TVector>
        where TVector : unmanaged
    {
        var (x, y, z, w) = Transpose(TSimd.FoldToFour(a), TSimd.FoldToFour(b), TSimd.FoldToFour(c), TSimd.FoldToFour(d));
        return x + y + (z + w);
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
