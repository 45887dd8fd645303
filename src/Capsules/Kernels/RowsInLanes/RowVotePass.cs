using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>One pass over all input capsules: their votes are made, used and forgotten.</summary>
/// <remarks>
/// Tasks split the input capsules (and blocks of rows, where capsules are fewer than threads). Each task adds into its own
/// partial sums, which the caller adds up in the order of the parts: no two tasks write the same memory and the result
/// does not depend on timing. Within a task a tile of weights stays in the second-level cache while all its blocks of
/// rows pass; within a block V, the sums and one capsule's votes stay in the first.
/// </remarks>
internal static unsafe class RowVotePass<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
    public static int Parts(in RoutingProblem problem) => Math.Min(problem.Threads, problem.N);

    private static int RowParts(in RoutingProblem problem) => Math.Clamp(problem.Threads / Parts(problem), 1, problem.Blocks);

    public static long ScratchFloats(in RoutingProblem problem) => Parts(problem) * RowParts(problem) * TaskScratch(problem);

    private static long TaskScratch(in RoutingProblem problem) =>
        NativeBuffer.Aligned((long)problem.WeightTile * problem.D * problem.Lanes)
        + NativeBuffer.Aligned(problem.Logits == LogitsLayout.PerRow ? problem.WeightTile * problem.Couplings : 0)
        + NativeBuffer.Aligned(problem.Capsules)
        + NativeBuffer.Aligned(2 * problem.Couplings)
        + NativeBuffer.Aligned(problem.WeightTile * (sizeof(float*) / sizeof(float)));

    public static void Run(ref VotePassJob job)
    {
        fixed (VotePassJob* pointer = &job)
        {
            ParallelFor.Run(Parts(job.Problem) * RowParts(job.Problem), &Task, pointer);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Task(int number, void* state)
    {
        ref var job = ref *(VotePassJob*)state;
        ref var problem = ref job.Problem;
        var parts = Parts(problem);
        var rowParts = RowParts(problem);
        var part = number / rowParts;
        var rowPart = number % rowParts;
        var begin = (int)((long)problem.N * part / parts);
        var end = (int)((long)problem.N * (part + 1) / parts);
        var firstBlock = (int)((long)problem.Blocks * rowPart / rowParts);
        var lastBlock = (int)((long)problem.Blocks * (rowPart + 1) / rowParts);

        var tile = problem.WeightTile;
        var input = job.Scratch + number * TaskScratch(problem);
        var logits = input + NativeBuffer.Aligned((long)tile * problem.D * problem.Lanes);
        var votes = logits + NativeBuffer.Aligned(problem.Logits == LogitsLayout.PerRow ? tile * problem.Couplings : 0);
        var dots = votes + NativeBuffer.Aligned(problem.Capsules);
        var weights = (float**)(dots + NativeBuffer.Aligned(2 * problem.Couplings));

        var sums = job.Partials + (nint)part * problem.Blocks * problem.Capsules;
        NativeMemory.Clear(sums + firstBlock * problem.Capsules, (nuint)((lastBlock - firstBlock) * problem.Capsules * sizeof(float)));

        var tiles = (end - begin + tile - 1) / tile;
        for (var step = 0; step < tiles; step++)
        {
            var n = begin + (job.Downwards ? tiles - 1 - step : step) * tile;
            var count = Math.Min(tile, end - n);
            for (var i = 0; i < count; i++)
            {
                weights[i] = problem.WeightOf(n + i);
            }

            for (var block = firstBlock; block < lastBlock; block++)
            {
                var sum = sums + block * problem.Capsules;
                RowInputs.PackInput(problem, block, n, count, input);
                if (job.Kind == VotePassKind.Uniform)
                {
                    RowVoteSums<TSimd, TVector>.Add(problem.Sizes, weights, input, count, sum);
                    continue;
                }

                RowInputs.PackLogits(problem, block, n, count, logits);
                Route(job, n, count, weights, input, logits, votes, dots, job.Probes + block * job.ProbeBlockStride, sum);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Route(
        in VotePassJob job, int first, int count, float** weights, float* input, float* logits, float* votes, float* dots, float* vectors, float* sum)
    {
        ref readonly var problem = ref job.Problem;
        var sizes = problem.Sizes;
        var couplings = problem.Couplings;
        var probes = new Probes
        {
            Vectors = vectors,
            VectorStride = job.ProbeStride,
            Dots = dots,
            DotStride = couplings,
            Count = vectors == null ? 0 : job.Kind == VotePassKind.Coupled ? 1 : 2,
        };
        for (var i = 0; i < count; i++)
        {
            RowVoteTiles<TSimd, TVector>.Compute(sizes, weights[i], input + (nint)i * problem.D * problem.Lanes, votes, probes);
            if (probes.Count == 0)
            {
                NativeMemory.Clear(dots, (nuint)(couplings * sizeof(float)));
            }

            RowCoupling<TSimd, TVector>.AddLogits(problem, first + i, logits + i * couplings, dots);
            RowCoupling<TSimd, TVector>.Softmax(problem, dots, dots);
            if (job.Kind == VotePassKind.AgreementGradient)
            {
                RowCoupling<TSimd, TVector>.SoftmaxGradient(problem, dots, dots + couplings);
            }

            RowSums<TSimd, TVector>.AddWeighted(sizes, dots, votes, sum);
        }
    }
}
