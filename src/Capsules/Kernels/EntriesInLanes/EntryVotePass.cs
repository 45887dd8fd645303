using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>One pass over all input capsules, an output capsule's entries in the lanes: votes are made, used and forgotten.</summary>
/// <remarks>
/// Tasks split the input capsules; each adds into its own partial sums, which the caller adds up in the order of the parts.
/// All rows take their turn with one input capsule's weights while these are in the first-level cache.
/// </remarks>
internal static unsafe class EntryVotePass<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
    public static int Parts(in RoutingProblem problem) => Math.Min(problem.Threads, problem.N);

    public static long ScratchFloats(in RoutingProblem problem) => Parts(problem) * TaskScratch(problem);

    private static long TaskScratch(in RoutingProblem problem) =>
        EntryColumns.Floats(problem) + NativeBuffer.Aligned(problem.Capsules) + NativeBuffer.Aligned(2 * problem.Couplings);

    public static void Run(ref VotePassJob job)
    {
        fixed (VotePassJob* pointer = &job)
        {
            ParallelFor.Run(Parts(job.Problem), &Task, pointer);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Task(int part, void* state)
    {
        ref var job = ref *(VotePassJob*)state;
        ref var problem = ref job.Problem;
        var begin = (int)((long)problem.N * part / Parts(problem));
        var end = (int)((long)problem.N * (part + 1) / Parts(problem));
        var scratch = job.Scratch + part * TaskScratch(problem);
        var columns = EntryColumns.Create<TSimd, TVector>(problem, scratch);
        var votes = scratch + EntryColumns.Floats(problem);
        var dots = votes + NativeBuffer.Aligned(problem.Capsules);
        var sums = job.Partials + (nint)part * problem.B * problem.Capsules;
        NativeMemory.Clear(sums, (nuint)(problem.B * problem.Capsules * sizeof(float)));

        var ahead = problem.WeightsAhead(job.Downwards);
        for (var step = 0; step < end - begin; step++)
        {
            var n = job.Downwards ? end - 1 - step : begin + step;
            var weight = problem.WeightOf(n);
            for (var row = 0; row < problem.B; row++)
            {
                var input = problem.Input + ((nint)row * problem.N + n) * problem.D;
                var sum = sums + row * problem.Capsules;
                if (job.Kind == VotePassKind.Uniform)
                {
                    EntryVotes<TSimd, TVector>.Compute(columns, weight, input, sum, add: true, ahead);
                    continue;
                }

                EntryVotes<TSimd, TVector>.Compute(columns, weight, input, votes, add: false, ahead);
                Factors(job, n, row, votes, dots);
                EntrySums<TSimd, TVector>.AddWeighted(problem, dots, votes, sum);
            }
        }
    }

    /// <summary>The factors by which votes are to be summed, in the first (J) of <paramref name="dots"/>.</summary>
    private static void Factors(in VotePassJob job, int n, int row, float* votes, float* dots)
    {
        ref readonly var problem = ref job.Problem;
        if (job.Probes == null)
        {
            NativeMemory.Clear(dots, (nuint)(problem.Couplings * sizeof(float)));
        }
        else
        {
            EntryVotes<TSimd, TVector>.Dots(problem.J, problem.Chunks, votes, job.Probes + row * job.ProbeBlockStride, dots);
        }

        EntryCoupling<TSimd, TVector>.AddLogits(problem, n, problem.RowLogits(row, n), dots);
        EntryCoupling<TSimd, TVector>.Softmax(problem, dots, dots);
        if (job.Kind == VotePassKind.AgreementGradient)
        {
            var gradients = dots + problem.Couplings;
            EntryVotes<TSimd, TVector>.Dots(
                problem.J, problem.Chunks, votes, job.Probes + row * job.ProbeBlockStride + job.ProbeStride, gradients);
            EntryCoupling<TSimd, TVector>.SoftmaxGradient(problem, dots, gradients);
        }
    }
}
