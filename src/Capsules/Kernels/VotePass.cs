using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>What a pass over the input capsules sums, for every output capsule.</summary>
internal enum VotePassKind
{
    /// <summary>sum_n u_hat_nj. The caller scales it by the uniform coupling.</summary>
    Uniform,

    /// <summary>sum_n c_nj u_hat_nj with c = softmax(b0 + &lt;u_hat, V&gt;); no probe: c = softmax(b0). Probe: V.</summary>
    Coupled,

    /// <summary>
    /// sum_n db_nj u_hat_nj, the gradient of V, where db is the gradient of the logits of the coupling above under
    /// dc = &lt;u_hat, ds&gt;. Probes: V, ds.
    /// </summary>
    AgreementGradient,
}

/// <summary>One pass over all input capsules: their votes are made, used and forgotten.</summary>
/// <remarks>
/// Tasks split the input capsules (and blocks of rows, where capsules are fewer than threads). Each task adds into its own
/// partial sums, which the caller adds up in the order of the parts: no two tasks write the same memory and the result
/// does not depend on timing. Within a task a tile of weights stays in the second-level cache while all its blocks of
/// rows pass; within a block V, the sums and one capsule's votes stay in the first.
/// </remarks>
internal static unsafe class VotePass<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
    public struct Job
    {
        public RoutingProblem Problem;
        public VotePassKind Kind;
        public float* Probes;
        public nint ProbeBlockStride;
        public nint ProbeStride;

        /// <summary>Sums of shape (part, block, J, E).</summary>
        public float* Partials;

        public float* Scratch;
    }

    public static int Parts(in RoutingProblem problem) => Math.Min(problem.Threads, problem.N);

    private static int RowParts(in RoutingProblem problem) => Math.Clamp(problem.Threads / Parts(problem), 1, problem.Blocks);

    public static long PartialFloats(in RoutingProblem problem) => (long)Parts(problem) * problem.Blocks * problem.Capsules;

    public static long ScratchFloats(in RoutingProblem problem) => Parts(problem) * RowParts(problem) * TaskScratch(problem);

    private static long TaskScratch(in RoutingProblem problem) =>
        NativeBuffer.Aligned((long)problem.WeightTile * problem.D * problem.Lanes)
        + NativeBuffer.Aligned(problem.Logits == LogitsLayout.PerRow ? problem.WeightTile * problem.Couplings : 0)
        + NativeBuffer.Aligned(problem.Capsules)
        + NativeBuffer.Aligned(2 * problem.Couplings)
        + NativeBuffer.Aligned(problem.WeightTile * (sizeof(float*) / sizeof(float)));

    public static void Run(ref Job job)
    {
        fixed (Job* pointer = &job)
        {
            ParallelFor.Run(Parts(job.Problem) * RowParts(job.Problem), &Task, pointer);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Task(int number, void* state)
    {
        ref var job = ref *(Job*)state;
        ref var problem = ref job.Problem;
        var parts = Parts(problem);
        var rowParts = RowParts(problem);
        var part = number / rowParts;
        var rowPart = number % rowParts;
        var begin = (int)((long)problem.N * part / parts);
        var end = (int)((long)problem.N * (part + 1) / parts);
        var firstBlock = problem.Blocks * rowPart / rowParts;
        var lastBlock = problem.Blocks * (rowPart + 1) / rowParts;

        var tile = problem.WeightTile;
        var input = job.Scratch + number * TaskScratch(problem);
        var logits = input + NativeBuffer.Aligned((long)tile * problem.D * problem.Lanes);
        var votes = logits + NativeBuffer.Aligned(problem.Logits == LogitsLayout.PerRow ? tile * problem.Couplings : 0);
        var dots = votes + NativeBuffer.Aligned(problem.Capsules);
        var weights = (float**)(dots + NativeBuffer.Aligned(2 * problem.Couplings));

        var sums = job.Partials + (nint)part * problem.Blocks * problem.Capsules;
        NativeMemory.Clear(sums + firstBlock * problem.Capsules, (nuint)((lastBlock - firstBlock) * problem.Capsules * sizeof(float)));

        for (var n = begin; n < end; n += tile)
        {
            var count = Math.Min(tile, end - n);
            for (var i = 0; i < count; i++)
            {
                weights[i] = problem.WeightOf(n + i);
            }

            for (var block = firstBlock; block < lastBlock; block++)
            {
                var sum = sums + block * problem.Capsules;
                LaneInputs.PackInput(problem, block, n, count, input);
                if (job.Kind == VotePassKind.Uniform)
                {
                    VoteSums<TSimd, TVector>.Add(problem.Sizes, weights, input, count, sum);
                    continue;
                }

                LaneInputs.PackLogits(problem, block, n, count, logits);
                Route(job, n, count, weights, input, logits, votes, dots, job.Probes + block * job.ProbeBlockStride, sum);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Route(
        in Job job, int first, int count, float** weights, float* input, float* logits, float* votes, float* dots, float* vectors, float* sum)
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
            VoteTiles<TSimd, TVector>.Compute(sizes, weights[i], input + (nint)i * problem.D * problem.Lanes, votes, probes);
            if (probes.Count == 0)
            {
                NativeMemory.Clear(dots, (nuint)(couplings * sizeof(float)));
            }

            LaneInputs.AddLogits<TSimd, TVector>(problem, first + i, logits + i * couplings, dots);
            Coupling<TSimd, TVector>.Softmax(sizes.J, problem.Leaky, dots, dots);
            if (job.Kind == VotePassKind.AgreementGradient)
            {
                Coupling<TSimd, TVector>.SoftmaxGradient(sizes.J, dots, dots + couplings);
            }

            Coupling<TSimd, TVector>.AddWeighted(sizes, dots, votes, sum);
        }
    }
}
