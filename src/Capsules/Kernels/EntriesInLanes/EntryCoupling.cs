using System.Runtime.CompilerServices;

namespace Capsules;

/// <summary>Logits and coupling coefficients of one row, output capsules in the lanes, filled up to whole vectors.</summary>
internal readonly unsafe struct EntryCoupling<TSimd, TVector> : ICoupling
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
    /// <inheritdoc/>
    public static void AddLogits(in RoutingProblem problem, int n, float* logits, float* dots)
    {
        if (problem.Logits == LogitsLayout.None)
        {
            return;
        }

        var source = problem.Logits == LogitsLayout.Shared ? problem.InitialLogits + (nint)n * problem.J : logits;
        for (var j = 0; j < problem.J; j++)
        {
            dots[j] += source[j];
        }
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Softmax(in RoutingProblem problem, float* logits, float* coefficients)
    {
        var size = problem.Couplings;
        FillUp(problem, logits, float.NegativeInfinity);
        var greatest = TSimd.Load(logits);
        for (nint at = TSimd.Lanes; at < size; at += TSimd.Lanes)
        {
            greatest = TSimd.Max(greatest, TSimd.Load(logits + at));
        }

        var top = TSimd.Greatest(greatest);
        top = problem.Leaky && top < 0 ? 0f : top;
        var maximum = TSimd.Broadcast(top);
        var total = TSimd.Zero;
        for (nint at = 0; at < size; at += TSimd.Lanes)
        {
            var exponential = SimdMath.ExpOfNonPositive<TSimd, TVector>(TSimd.Subtract(TSimd.Load(logits + at), maximum));
            total = TSimd.Add(total, exponential);
            TSimd.Store(exponential, coefficients + at);
        }

        var scale = TSimd.Broadcast(1f / (TSimd.Sum(total) + (problem.Leaky ? MathF.Exp(-top) : 0f)));
        for (nint at = 0; at < size; at += TSimd.Lanes)
        {
            TSimd.Store(TSimd.Multiply(scale, TSimd.Load(coefficients + at)), coefficients + at);
        }
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SoftmaxGradient(in RoutingProblem problem, float* coefficients, float* gradients)
    {
        // The filling is made anew for each capsule: a NaN that one capsule leaves in it must not reach the next.
        FillUp(problem, coefficients, 0f);
        FillUp(problem, gradients, 0f);
        var size = problem.Couplings;
        var products = TSimd.Zero;
        for (nint at = 0; at < size; at += TSimd.Lanes)
        {
            products = TSimd.MultiplyAdd(TSimd.Load(coefficients + at), TSimd.Load(gradients + at), products);
        }

        var mean = TSimd.Broadcast(TSimd.Sum(products));
        for (nint at = 0; at < size; at += TSimd.Lanes)
        {
            var coefficient = TSimd.Load(coefficients + at);
            TSimd.Store(TSimd.Multiply(coefficient, TSimd.Subtract(TSimd.Load(gradients + at), mean)), coefficients + at);
            TSimd.Store(coefficient, gradients + at);
        }
    }

    private static void FillUp(in RoutingProblem problem, float* values, float value)
    {
        for (nint j = problem.J; j < problem.Couplings; j++)
        {
            values[j] = value;
        }
    }
}
