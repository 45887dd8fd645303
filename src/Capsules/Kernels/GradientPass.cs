using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>The vectors from which every vote's gradient is combined, and which of them belong together.</summary>
/// <remarks>
/// With V(t-1) and ds(t) of every iteration known, the gradient of a vote is
/// sum over t of c(t) ds(t) + db(t) V(t-1), where c(t) = softmax(b0 + &lt;u_hat, V(t-1)&gt;), dc(t) = &lt;u_hat, ds(t)&gt; and db(t) is the
/// softmax's gradient. So one dot product of the vote with each vector turns into one factor of each vector:
/// V's agreement into db, ds's into c.
/// All iterations: V(1) .. V(T-1), ds(2) .. ds(T), ds(1). Last iteration alone: V(T-1), ds(T), of which only ds takes part.
/// </remarks>
internal readonly struct GradientVectors
{
    public GradientVectors(in RoutingProblem problem)
    {
        var passes = problem.Passes;
        Pairs = passes - 1;
        if (problem.GradientThroughAll)
        {
            Count = 2 * passes - 1;
            Dots = Count - (problem.FirstCouplingFromLogits ? 0 : 1);
            Combined = Count;
        }
        else
        {
            Pairs = Math.Min(Pairs, 1);
            Count = 1 + Pairs;
            Dots = Pairs;
            Combined = 1;
        }
    }

    /// <summary>Vectors (J, E) for each block of rows.</summary>
    public int Count { get; }

    /// <summary>Iterations after the first whose coupling is made anew: vector i is V, vector Pairs + i the ds of the same iteration.</summary>
    public int Pairs { get; }

    /// <summary>The first so many vectors need their dot products with the votes.</summary>
    public int Dots { get; }

    /// <summary>The last so many vectors take part in the gradient of a vote.</summary>
    public int Combined { get; }

    /// <summary>Where V(t-1) and ds(t) of an iteration t &gt;= 2 are, when all iterations take part.</summary>
    public static int V(int iteration) => iteration - 2;

    public int Ds(int iteration) => iteration == 1 ? Count - 1 : Pairs + iteration - 2;
}

/// <summary>The last pass of the backward: the gradients of inputs, weights and initial logits, for all iterations at once.</summary>
/// <remarks>
/// A task owns a range of input capsules and goes through all rows for each of them, because a weight's gradient sums over
/// the batch: the gradients of one capsule's votes for a run of blocks stay in the second-level cache between the two
/// products they enter.
/// </remarks>
internal static unsafe class GradientPass<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
    public struct Job
    {
        public RoutingProblem Problem;

        /// <summary>Vectors of shape (block, vector, J, E); see <see cref="GradientVectors"/>.</summary>
        public float* Vectors;

        public float* InputGradient;
        public float* WeightGradient;
        public float* LogitsGradient;

        /// <summary>Where groups are too few to give each task its own: weight gradients (part, group, J, D, E) to be added up.</summary>
        public float* WeightPartials;

        public float* Scratch;
    }

    /// <summary>Offsets into one task's scratch, in floats.</summary>
    private readonly struct Layout
    {
        public readonly int Run;
        public readonly int Tile;
        public readonly nint InputStride;
        public readonly nint LogitsStride;
        public readonly long Logits;
        public readonly long InputGradients;
        public readonly long LogitsGradients;
        public readonly long VoteGradients;
        public readonly long Dots;
        public readonly long Total;

        public Layout(in RoutingProblem problem)
        {
            var vectors = new GradientVectors(problem);
            Run = (int)Math.Clamp(256 * 1024 / sizeof(float) / problem.Capsules, 1, Math.Min(16, problem.Blocks));
            Tile = Math.Clamp(64 * 1024 / sizeof(float) / (Run * problem.D * problem.Lanes), 1, 64);
            InputStride = (nint)NativeBuffer.Aligned((long)Tile * problem.D * problem.Lanes);
            LogitsStride = problem.Logits == LogitsLayout.None ? 0 : (nint)NativeBuffer.Aligned(Tile * problem.Couplings);
            Logits = Run * InputStride;
            InputGradients = Logits + Run * LogitsStride;
            LogitsGradients = InputGradients + Run * InputStride;
            VoteGradients = LogitsGradients + Run * LogitsStride;
            Dots = VoteGradients + NativeBuffer.Aligned(Run * problem.Capsules);
            Total = Dots + NativeBuffer.Aligned((vectors.Count + 1) * problem.Couplings);
        }
    }

    public static long ScratchFloats(in RoutingProblem problem) => Tasks(problem) * new Layout(problem).Total;

    /// <summary>Floats of the weight gradients' partial sums; none where every group belongs to one task.</summary>
    public static long WeightPartialFloats(in RoutingProblem problem) =>
        OwnsGroups(problem) ? 0 : Tasks(problem) * Groups(problem) * problem.WeightSize;

    public static void Run(ref Job job)
    {
        var tasks = Tasks(job.Problem);
        fixed (Job* pointer = &job)
        {
            ParallelFor.Run(tasks, &Task, pointer);
        }

        if (job.WeightGradient != null && !OwnsGroups(job.Problem))
        {
            var size = Groups(job.Problem) * job.Problem.WeightSize;
            for (nint i = 0; i < size; i++)
            {
                var sum = job.WeightPartials[i];
                for (var part = 1; part < tasks; part++)
                {
                    sum += job.WeightPartials[part * size + i];
                }

                job.WeightGradient[i] = sum;
            }
        }
    }

    private static int Groups(in RoutingProblem problem) => problem.N / problem.GroupSize;

    private static bool OwnsGroups(in RoutingProblem problem) => problem.GroupSize == 1 || Groups(problem) >= 4 * problem.Threads;

    private static int Tasks(in RoutingProblem problem) => Math.Min(problem.Threads, problem.N);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Task(int number, void* state)
    {
        ref var job = ref *(Job*)state;
        ref var problem = ref job.Problem;
        var layout = new Layout(problem);
        var vectors = new GradientVectors(problem);
        var scratch = job.Scratch + number * layout.Total;
        var tasks = Tasks(problem);

        // Tasks meet at the borders of groups where there are enough of them.
        var unit = OwnsGroups(problem) ? problem.GroupSize : 1;
        var units = problem.N / unit;
        var begin = (int)((long)units * number / tasks) * unit;
        var end = (int)((long)units * (number + 1) / tasks) * unit;

        var weightGradient = job.WeightGradient;
        if (weightGradient != null && !OwnsGroups(problem))
        {
            var size = Groups(problem) * problem.WeightSize;
            weightGradient = job.WeightPartials + number * size;
            NativeMemory.Clear(weightGradient, (nuint)(size * sizeof(float)));
        }

        if (vectors.Dots == 0 || problem.GradientThroughAll)
        {
            FillUniform(problem, scratch + layout.Dots + (vectors.Count - 1) * problem.Couplings);
        }

        for (var n = begin; n < end; n += layout.Tile)
        {
            var count = Math.Min(layout.Tile, end - n);
            for (var block = 0; block < problem.Blocks; block += layout.Run)
            {
                Tile(job, layout, vectors, scratch, n, count, block, Math.Min(layout.Run, problem.Blocks - block), weightGradient);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile(
        in Job job, in Layout layout, in GradientVectors vectors, float* scratch, int first, int count, int firstBlock, int blocks, float* weightGradient)
    {
        ref readonly var problem = ref job.Problem;
        var sizes = problem.Sizes;
        var size = problem.Capsules;
        nint capsule = problem.D * problem.Lanes;
        var couplings = problem.Couplings;
        var logits = scratch + layout.Logits;
        var inputGradients = scratch + layout.InputGradients;
        var logitsGradients = scratch + layout.LogitsGradients;
        var voteGradients = scratch + layout.VoteGradients;
        var dots = scratch + layout.Dots;

        for (var b = 0; b < blocks; b++)
        {
            LaneInputs.PackInput(problem, firstBlock + b, first, count, scratch + b * layout.InputStride);
            LaneInputs.PackLogits(problem, firstBlock + b, first, count, logits + b * layout.LogitsStride);
        }

        for (var i = 0; i < count; i++)
        {
            var n = first + i;
            var weight = problem.WeightOf(n);
            for (var b = 0; b < blocks; b++)
            {
                var probes = new Probes
                {
                    Vectors = job.Vectors + (nint)(firstBlock + b) * vectors.Count * size,
                    VectorStride = size,
                    Dots = dots,
                    DotStride = couplings,
                    Count = vectors.Dots,
                };
                if (vectors.Dots > 0)
                {
                    VoteTiles<TSimd, TVector>.Compute(sizes, weight, scratch + b * layout.InputStride + i * capsule, null, probes);
                }

                Factors(problem, vectors, n, logits + b * layout.LogitsStride + i * couplings, dots,
                    job.LogitsGradient == null ? null : logitsGradients + b * layout.LogitsStride + i * couplings);
                var skipped = vectors.Count - vectors.Combined;
                var gradient = voteGradients + b * size;
                Coupling<TSimd, TVector>.Combine(
                    sizes, vectors.Combined, dots + skipped * couplings, couplings, probes.Vectors + skipped * size, size, gradient);
                if (job.InputGradient != null)
                {
                    InputGradients<TSimd, TVector>.Compute(sizes, weight, gradient, inputGradients + b * layout.InputStride + i * capsule);
                }
            }

            if (weightGradient != null)
            {
                // The first run of rows of a group's first capsule finds memory that nobody has written yet.
                var add = firstBlock > 0 || n % problem.GroupSize != 0 || !OwnsGroups(problem);
                WeightGradients<TSimd, TVector>.Compute(
                    sizes, new BatchBlocks(blocks, layout.InputStride, size), scratch + i * capsule, voteGradients,
                    weightGradient + n / problem.GroupSize * problem.WeightSize, add);
            }

            if (job.LogitsGradient != null && problem.Logits == LogitsLayout.Shared)
            {
                AddLogitsGradient(problem, job.LogitsGradient + (nint)n * problem.J, logitsGradients + i * couplings, blocks, layout.LogitsStride, firstBlock > 0);
            }
        }

        for (var b = 0; b < blocks; b++)
        {
            var row = (nint)(firstBlock + b) * problem.Lanes;
            if (job.InputGradient != null)
            {
                var stride = (nint)problem.N * problem.D;
                BatchLanes.Unpack(inputGradients + b * layout.InputStride, problem.Lanes, problem.RowsOf(firstBlock + b), count * problem.D,
                    job.InputGradient + row * stride + (nint)first * problem.D, stride);
            }

            if (job.LogitsGradient != null && problem.Logits == LogitsLayout.PerRow)
            {
                var stride = (nint)problem.N * problem.J;
                BatchLanes.Unpack(logitsGradients + b * layout.LogitsStride, problem.Lanes, problem.RowsOf(firstBlock + b), count * problem.J,
                    job.LogitsGradient + row * stride + (nint)first * problem.J, stride);
            }
        }
    }

    /// <summary>Turns every dot product into the factor of its vector, in place, and sums the logits' gradients.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Factors(in RoutingProblem problem, in GradientVectors vectors, int n, float* logits, float* dots, float* logitsGradient)
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
        LaneInputs.AddLogits<TSimd, TVector>(problem, n, logits, agreement);
        if (!problem.GradientThroughAll)
        {
            Coupling<TSimd, TVector>.Softmax(problem.J, problem.Leaky, agreement, gradient);
            return;
        }

        Coupling<TSimd, TVector>.Softmax(problem.J, problem.Leaky, agreement, agreement);
        Coupling<TSimd, TVector>.SoftmaxGradient(problem.J, agreement, gradient);
        if (logitsGradient != null)
        {
            for (var j = 0; j < problem.J; j++)
            {
                var at = (nint)j * problem.Lanes;
                TSimd.Store(TSimd.Add(TSimd.Load(logitsGradient + at), TSimd.Load(agreement + at)), logitsGradient + at);
            }
        }
    }

    private static void FillUniform(in RoutingProblem problem, float* factors)
    {
        for (var j = 0; j < problem.J; j++)
        {
            TSimd.Store(TSimd.Broadcast(problem.UniformCoupling), factors + (nint)j * problem.Lanes);
        }
    }

    private static void AddLogitsGradient(in RoutingProblem problem, float* target, float* gradients, int blocks, nint stride, bool add)
    {
        for (var j = 0; j < problem.J; j++)
        {
            var sum = TSimd.Zero;
            for (var b = 0; b < blocks; b++)
            {
                sum = TSimd.Add(sum, TSimd.Load(gradients + b * stride + (nint)j * problem.Lanes));
            }

            target[j] = TSimd.Sum(sum) + (add ? target[j] : 0f);
        }
    }
}
