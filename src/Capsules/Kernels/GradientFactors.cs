using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Capsules;

/// <summary>Turns the dot products of one input capsule's votes with all gradient vectors into the factors of those vectors.</summary>
/// <remarks>Dots and factors are (vector, J), and one (J) more at the end as scratch; see <see cref="GradientVectors"/>.</remarks>
internal static unsafe class GradientFactors<TCoupling> where TCoupling : struct, ICoupling
{
    public static long Floats(in RoutingProblem problem) => (new GradientVectors(problem).Count + 1) * problem.Couplings;

    /// <summary>Writes what is a factor without a dot product, once for all input capsules: the uniform coupling.</summary>
    public static void Prepare(in RoutingProblem problem, in GradientVectors vectors, float* dots)
    {
        if (vectors.Dots == 0 || problem.GradientThroughAll)
        {
            new Span<float>(dots + (vectors.Count - 1) * problem.Couplings, (int)problem.Couplings).Fill(problem.UniformCoupling);
        }
    }

    /// <summary>Dots to factors, in place, and the gradient of the initial logits unless <paramref name="logitsGradient"/> is null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compute(in RoutingProblem problem, in GradientVectors vectors, int n, float* logits, float* dots, float* logitsGradient)
    {
        var couplings = problem.Couplings;
        if (logitsGradient != null)
        {
            NativeMemory.Clear(logitsGradient, (nuint)(couplings * sizeof(float)));
        }

        for (var pair = 0; pair < vectors.Pairs; pair++)
        {
            Factor(problem, n, logits, dots + pair * couplings, dots + (vectors.Pairs + pair) * couplings, logitsGradient);
        }

        if (problem.FirstCouplingFromLogits && (problem.GradientThroughAll || vectors.Pairs == 0))
        {
            // The first iteration has no V: its logits are the initial ones alone, in the place after the last vector's.
            var first = dots + vectors.Count * couplings;
            NativeMemory.Clear(first, (nuint)(couplings * sizeof(float)));
            Factor(problem, n, logits, first, dots + (vectors.Count - 1) * couplings, logitsGradient);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Factor(in RoutingProblem problem, int n, float* logits, float* agreement, float* gradient, float* logitsGradient)
    {
        TCoupling.AddLogits(problem, n, logits, agreement);
        if (!problem.GradientThroughAll)
        {
            TCoupling.Softmax(problem, agreement, gradient);
            return;
        }

        TCoupling.Softmax(problem, agreement, agreement);
        TCoupling.SoftmaxGradient(problem, agreement, gradient);
        if (logitsGradient != null)
        {
            for (nint i = 0; i < problem.Couplings; i += Vector128<float>.Count)
            {
                (Vector128.Load(logitsGradient + i) + Vector128.Load(agreement + i)).Store(logitsGradient + i);
            }
        }
    }
}
