using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Capsules;

/// <summary>The float operations that the kernels need of one vector width.</summary>
/// <remarks>
/// The kernels are written once over <typeparamref name="TVector"/>; the JIT compiles them anew for each width with these
/// members inlined. The operations take the vectors themselves, not a struct around them, because plain vectors are what
/// the JIT keeps in registers most reliably.
/// </remarks>
internal interface ISimd<TVector> where TVector : unmanaged
{
    /// <summary>Floats in one vector.</summary>
    static abstract int Lanes { get; }

    static abstract TVector Zero { get; }
    static abstract TVector Broadcast(float value);
    static abstract unsafe TVector Load(float* source);
    static abstract unsafe void Store(TVector value, float* target);
    static abstract TVector Add(TVector a, TVector b);
    static abstract TVector Subtract(TVector a, TVector b);
    static abstract TVector Multiply(TVector a, TVector b);
    static abstract TVector Divide(TVector a, TVector b);
    static abstract TVector Sqrt(TVector a);

    /// <summary>a * b + c, in one rounding where the hardware has it.</summary>
    static abstract TVector MultiplyAdd(TVector a, TVector b, TVector c);

    /// <summary>The larger of both. A NaN in <paramref name="b"/> comes through; one in <paramref name="a"/> may not.</summary>
    static abstract TVector Max(TVector a, TVector b);

    /// <summary><paramref name="value"/> where <paramref name="a"/> is above <paramref name="b"/>, else zero.</summary>
    static abstract TVector WhereGreater(TVector a, TVector b, TVector value);

    /// <summary>Zero where <paramref name="a"/> is below <paramref name="b"/>, else <paramref name="value"/>: NaN stays.</summary>
    static abstract TVector ZeroWhereLess(TVector a, TVector b, TVector value);

    static abstract TVector Round(TVector a);

    /// <summary>a * 2^n for whole n within the range of normal floats.</summary>
    static abstract TVector ScaleByPowerOfTwo(TVector a, TVector n);

    static abstract float Sum(TVector a);

    /// <summary>The largest lane; unspecified where one is NaN.</summary>
    static abstract float Greatest(TVector a);

    /// <summary>The lanes folded to four by adding; the sum of all lanes is the sum of the four.</summary>
    static abstract Vector128<float> FoldToFour(TVector a);
}
