using System.Runtime.CompilerServices;

namespace Capsules;

/// <summary>squash(s) = s |s| / (1 + |s|^2) and its gradient, a batch row per lane.</summary>
internal static unsafe class RowSquash<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
    /// <summary>target[e] = squash(source)[e] + (addend[e] unless it is null), for one capsule of <paramref name="dim"/> dimensions.</summary>
    public static void Forward(float* source, float* addend, float* target, int dim)
    {
        var lanes = TSimd.Lanes;
        var square = SquaredLength(source, dim);
        var factor = TSimd.Divide(TSimd.Sqrt(square), TSimd.Add(TSimd.Broadcast(1f), square));
        for (var e = 0; e < dim; e++)
        {
            var s = TSimd.Load(source + e * lanes);
            var v = addend == null ? TSimd.Multiply(s, factor) : TSimd.MultiplyAdd(s, factor, TSimd.Load(addend + e * lanes));
            TSimd.Store(v, target + e * lanes);
        }
    }

    /// <summary>target = the gradient of s, given the gradient of squash(s): f dv + (f'/n) (s . dv) s with f(n) = n / (1 + n^2).</summary>
    /// <remarks>f'/n has no limit at n = 0, but its product with (s . dv) s goes to 0, so there it counts as 0.</remarks>
    public static void Backward(float* source, float* gradient, float* target, int dim)
    {
        var lanes = TSimd.Lanes;
        var one = TSimd.Broadcast(1f);
        var square = SquaredLength(source, dim);
        var length = TSimd.Sqrt(square);
        var inverse = TSimd.Divide(one, TSimd.Add(one, square));
        var factor = TSimd.Multiply(length, inverse);

        var dot = TSimd.Zero;
        for (var e = 0; e < dim; e++)
        {
            dot = TSimd.MultiplyAdd(TSimd.Load(source + e * lanes), TSimd.Load(gradient + e * lanes), dot);
        }

        // f' = (1 - n^2) / (1 + n^2)^2
        var slope = TSimd.Multiply(TSimd.Multiply(TSimd.Subtract(one, square), inverse), inverse);
        var radial = TSimd.WhereGreater(length, TSimd.Zero, TSimd.Divide(TSimd.Multiply(slope, dot), length));
        for (var e = 0; e < dim; e++)
        {
            var ds = TSimd.MultiplyAdd(radial, TSimd.Load(source + e * lanes), TSimd.Multiply(factor, TSimd.Load(gradient + e * lanes)));
            TSimd.Store(ds, target + e * lanes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector SquaredLength(float* source, int dim)
    {
        var lanes = TSimd.Lanes;
        var square = TSimd.Zero;
        for (var e = 0; e < dim; e++)
        {
            var s = TSimd.Load(source + e * lanes);
            square = TSimd.MultiplyAdd(s, s, square);
        }

        return square;
    }
}
