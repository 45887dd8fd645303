using System.Runtime.CompilerServices;

namespace Capsules;

/// <summary>Logits and coupling coefficients with a batch row per lane: the softmax needs no operation across lanes.</summary>
internal readonly unsafe struct RowCoupling<TSimd, TVector> : ICoupling
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

        var shared = problem.InitialLogits + (nint)n * problem.J;
        for (var j = 0; j < problem.J; j++)
        {
            var at = (nint)j * TSimd.Lanes;
            var logit = problem.Logits == LogitsLayout.Shared ? TSimd.Broadcast(shared[j]) : TSimd.Load(logits + at);
            TSimd.Store(TSimd.Add(TSimd.Load(dots + at), logit), dots + at);
        }
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Softmax(in RoutingProblem problem, float* logits, float* coefficients)
    {
        var (capsules, leaky) = (problem.J, problem.Leaky);
        var lanes = TSimd.Lanes;
        var maximum = leaky ? TSimd.Max(TSimd.Zero, TSimd.Load(logits)) : TSimd.Load(logits);
        for (var j = 1; j < capsules; j++)
        {
            maximum = TSimd.Max(maximum, TSimd.Load(logits + (nint)j * lanes));
        }

        var total = leaky ? SimdMath.ExpOfNonPositive<TSimd, TVector>(TSimd.Subtract(TSimd.Zero, maximum)) : TSimd.Zero;
        for (var first = 0; first < capsules; first += 16)
        {
            // A thousand nearly equal terms, each added to an ever larger total, would all be rounded the same way.
            var part = TSimd.Zero;
            for (var j = first; j < Math.Min(first + 16, capsules); j++)
            {
                var exponential = SimdMath.ExpOfNonPositive<TSimd, TVector>(TSimd.Subtract(TSimd.Load(logits + (nint)j * lanes), maximum));
                part = TSimd.Add(part, exponential);
                TSimd.Store(exponential, coefficients + (nint)j * lanes);
            }

            total = TSimd.Add(total, part);
        }

        var scale = TSimd.Divide(TSimd.Broadcast(1f), total);
        for (var j = 0; j < capsules; j++)
        {
            TSimd.Store(TSimd.Multiply(scale, TSimd.Load(coefficients + (nint)j * lanes)), coefficients + (nint)j * lanes);
        }
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SoftmaxGradient(in RoutingProblem problem, float* coefficients, float* gradients)
    {
        var capsules = problem.J;
        var lanes = TSimd.Lanes;
        var mean = TSimd.Zero;
        for (var j = 0; j < capsules; j++)
        {
            mean = TSimd.MultiplyAdd(TSimd.Load(coefficients + (nint)j * lanes), TSimd.Load(gradients + (nint)j * lanes), mean);
        }

        for (var j = 0; j < capsules; j++)
        {
            var coefficient = TSimd.Load(coefficients + (nint)j * lanes);
            var gradient = TSimd.Subtract(TSimd.Load(gradients + (nint)j * lanes), mean);
            TSimd.Store(TSimd.Multiply(coefficient, gradient), coefficients + (nint)j * lanes);
            TSimd.Store(coefficient, gradients + (nint)j * lanes);
        }
    }
}
