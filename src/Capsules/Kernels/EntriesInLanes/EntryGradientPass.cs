using System.Runtime.CompilerServices;

namespace Capsules;

/// <summary>The last pass of the backward, an output capsule's entries in the lanes.</summary>
/// <remarks>A task owns a range of input capsules and takes all rows for each of them: a weight's gradient is written once.</remarks>
internal static unsafe class EntryGradientPass<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
    public static long ScratchFloats(in RoutingProblem problem) => new WeightOwnership(problem).Tasks * TaskScratch(problem);

    private static long DotFloats(in RoutingProblem problem) =>
        NativeBuffer.Aligned(GradientFactors<EntryCoupling<TSimd, TVector>>.Floats(problem));

    private static long TaskScratch(in RoutingProblem problem) =>
        EntryColumns.Floats(problem) + DotFloats(problem) + NativeBuffer.Aligned(problem.Couplings) + NativeBuffer.Aligned(problem.B * problem.Capsules);

    public static void Run(ref GradientPassJob job)
    {
        var ownership = new WeightOwnership(job.Problem);
        fixed (GradientPassJob* pointer = &job)
        {
            ParallelFor.Run(ownership.Tasks, &Task, pointer);
        }

        ownership.Reduce(job);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Task(int number, void* state)
    {
        ref var job = ref *(GradientPassJob*)state;
        ref var problem = ref job.Problem;
        var vectors = new GradientVectors(problem);
        var ownership = new WeightOwnership(problem);
        var (begin, end) = ownership.Range(number);
        var weightGradient = ownership.Target(job, number);
        var scratch = job.Scratch + number * TaskScratch(problem);
        var columns = EntryColumns.Create<TSimd, TVector>(problem, scratch);
        var dots = scratch + EntryColumns.Floats(problem);
        var logitsGradient = dots + DotFloats(problem);
        var voteGradients = logitsGradient + NativeBuffer.Aligned(problem.Couplings);
        GradientFactors<EntryCoupling<TSimd, TVector>>.Prepare(problem, vectors, dots);

        for (var step = 0; step < end - begin; step++)
        {
            var n = job.Downwards ? end - 1 - step : begin + step;
            for (var row = 0; row < problem.B; row++)
            {
                Row(job, vectors, columns, n, row, dots, logitsGradient, voteGradients + row * problem.Capsules);
            }

            if (weightGradient != null)
            {
                // The first capsule of a group finds memory that nobody has written yet.
                EntryGradients<TSimd, TVector>.OfWeight(
                    columns, problem.B, problem.Input + (nint)n * problem.D, (nint)problem.N * problem.D, voteGradients, problem.Capsules,
                    weightGradient + n / problem.GroupSize * problem.WeightSize, add: n % problem.GroupSize != 0 || !ownership.IsWhole);
            }
        }
    }

    private static void Row(
        in GradientPassJob job, in GradientVectors vectors, in EntryColumns columns, int n, int row, float* dots, float* logitsGradient, float* voteGradients)
    {
        ref readonly var problem = ref job.Problem;
        var weight = problem.WeightOf(n);
        var at = (nint)row * problem.N + n;
        var first = job.Vectors + (nint)row * vectors.Count * problem.Capsules;
        if (vectors.Dots > 0)
        {
            // The votes themselves are needed for their dot products alone; their gradients then take their place.
            EntryVotes<TSimd, TVector>.Compute(columns, weight, problem.Input + at * problem.D, voteGradients, add: false, problem.WeightsAhead(job.Downwards));
            for (var vector = 0; vector < vectors.Dots; vector++)
            {
                EntryVotes<TSimd, TVector>.Dots(
                    problem.J, problem.Chunks, voteGradients, first + vector * problem.Capsules, dots + vector * problem.Couplings);
            }
        }

        GradientFactors<EntryCoupling<TSimd, TVector>>.Compute(
            problem, vectors, n, problem.RowLogits(row, n), dots, job.LogitsGradient == null ? null : logitsGradient);
        if (job.LogitsGradient != null)
        {
            StoreLogitsGradient(problem, n, row, logitsGradient, job.LogitsGradient);
        }

        var skipped = vectors.Count - vectors.Combined;
        EntrySums<TSimd, TVector>.Combine(
            problem, vectors.Combined, dots + skipped * problem.Couplings, first + skipped * problem.Capsules, voteGradients);
        if (job.InputGradient != null)
        {
            EntryGradients<TSimd, TVector>.OfInput(columns, weight, voteGradients, job.InputGradient + at * problem.D);
        }
    }

    /// <summary>Each row's own, or their sum where rows share the initial logits.</summary>
    private static void StoreLogitsGradient(in RoutingProblem problem, int n, int row, float* gradient, float* target)
    {
        var shared = problem.Logits == LogitsLayout.Shared;
        target += (shared ? n : (nint)row * problem.N + n) * problem.J;
        for (var j = 0; j < problem.J; j++)
        {
            target[j] = gradient[j] + (shared && row > 0 ? target[j] : 0f);
        }
    }
}
