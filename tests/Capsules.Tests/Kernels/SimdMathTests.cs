using System.Runtime.Intrinsics;

namespace Capsules.Tests.Kernels;

public class SimdMathTests
{
    [Fact]
    public void ExpOfNonPositive_WholeRange_IsWithinTwoUlps()
    {
        Worst<Simd128, Vector128<float>>().Should().BeLessThan(2);
        Worst<Simd256, Vector256<float>>().Should().BeLessThan(2);
        Worst<Simd512, Vector512<float>>().Should().BeLessThan(2);
    }

    [Theory]
    [InlineData(0f, 1f)]
    [InlineData(-88f, 0f)]
    [InlineData(float.NegativeInfinity, 0f)]
    [InlineData(float.NaN, float.NaN)]
    public void ExpOfNonPositive_SpecialValue_IsExact(float x, float expected)
    {
        Exp<Simd128, Vector128<float>>(x).Should().Be(expected);
        Exp<Simd256, Vector256<float>>(x).Should().Be(expected);
        Exp<Simd512, Vector512<float>>(x).Should().Be(expected);
    }

    private static double Worst<TSimd, TVector>()
        where TSimd : struct, ISimd<TVector>
        where TVector : unmanaged
    {
        var worst = 0.0;
        for (var x = -87.25f; x <= 0; x += 0.00137f)
        {
            var exact = Math.Exp(x);
            var ulp = MathF.BitIncrement((float)exact) - (float)exact;
            worst = Math.Max(worst, Math.Abs(Exp<TSimd, TVector>(x) - exact) / ulp);
        }

        return worst;
    }

    private static unsafe float Exp<TSimd, TVector>(float x)
        where TSimd : struct, ISimd<TVector>
        where TVector : unmanaged
    {
        var result = stackalloc float[16];
        TSimd.Store(SimdMath.ExpOfNonPositive<TSimd, TVector>(TSimd.Broadcast(x)), result);
        return result[0];
    }
}
