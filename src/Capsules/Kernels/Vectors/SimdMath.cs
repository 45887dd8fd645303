using System.Runtime.CompilerServices;

namespace Capsules;

/// <summary>Elementary functions on vectors of any width.</summary>
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
}
