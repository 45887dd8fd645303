using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>The last pass of the backward: the gradients of inputs, weights and initial logits, for all iterations at once.</summary>
/// <remarks>
/// A task owns a range of input capsules and goes through all rows for each of them, because a weight's gradient sums over
/// the batch: the gradients of one capsule's votes for a run of blocks stay in the second-level cache between the two
/// products they enter.
/// </remarks>
internal static unsafe class RowGradientPass<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
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
            Run = (int)Math.Clamp(256 * 1024 / sizeof(float) / problem.Capsules, 1, Math.Min(16, problem.Blocks));
            Tile = (int)Math.Clamp(64 * 1024 / sizeof(float) / ((long)Run * problem.D * problem.Lanes), 1, 64);
            InputStride = (nint)NativeBuffer.Aligned((long)Tile * problem.D * problem.Lanes);
            LogitsStride = problem.Logits == LogitsLayout.None ? 0 : (nint)NativeBuffer.Aligned(Tile * problem.Couplings);
            Logits = Run * InputStride;
            InputGradients = Logits + Run * LogitsStride;
            LogitsGradients = InputGradients + Run * InputStride;
            VoteGradients = LogitsGradients + Run * LogitsStride;
            Dots = VoteGradients + NativeBuffer.Aligned(Run * problem.Capsules);
            Total = Dots + NativeBuffer.Aligned(GradientFactors<RowCoupling<TSimd, TVector>>.Floats(problem));
        }
    }

    public static long ScratchFloats(in RoutingProblem problem) => new WeightOwnership(problem).Tasks * new Layout(problem).Total;

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
        var layout = new Layout(problem);
        var vectors = new GradientVectors(problem);
        var scratch = job.Scratch + number * layout.Total;
        var ownership = new WeightOwnership(problem);
        var (begin, end) = ownership.Range(number);
        var weightGradient = ownership.Target(job, number);
        GradientFactors<RowCoupling<TSimd, TVector>>.Prepare(problem, vectors, scratch + layout.Dots);

        var tiles = (end - begin + layout.Tile - 1) / layout.Tile;
        for (var step = 0; step < tiles; step++)
        {
            var n = begin + (job.Downwards ? tiles - 1 - step : step) * layout.Tile;
            var count = Math.Min(layout.Tile, end - n);
            for (var block = 0; block < problem.Blocks; block += layout.Run)
            {
                Tile(job, layout, vectors, scratch, n, count, block, Math.Min(layout.Run, problem.Blocks - block), weightGradient, ownership.IsWhole);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile(
        in GradientPassJob job, in Layout layout, in GradientVectors vectors, float* scratch, int first, int count, int firstBlock, int blocks, float* weightGradient,
        bool whole)
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
            RowInputs.PackInput(problem, firstBlock + b, first, count, scratch + b * layout.InputStride);
            RowInputs.PackLogits(problem, firstBlock + b, first, count, logits + b * layout.LogitsStride);
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
                    RowVoteTiles<TSimd, TVector>.Compute(sizes, weight, scratch + b * layout.InputStride + i * capsule, null, probes);
                }

                GradientFactors<RowCoupling<TSimd, TVector>>.Compute(problem, vectors, n, logits + b * layout.LogitsStride + i * couplings, dots,
                    job.LogitsGradient == null ? null : logitsGradients + b * layout.LogitsStride + i * couplings);
                var skipped = vectors.Count - vectors.Combined;
                var gradient = voteGradients + b * size;
                RowSums<TSimd, TVector>.Combine(
                    sizes, vectors.Combined, dots + skipped * couplings, couplings, probes.Vectors + skipped * size, size, gradient);
                if (job.InputGradient != null)
                {
                    RowInputGradients<TSimd, TVector>.Compute(sizes, weight, gradient, inputGradients + b * layout.InputStride + i * capsule);
                }
            }

            if (weightGradient != null)
            {
                // The first run of rows of a group's first capsule finds memory that nobody has written yet.
                var add = firstBlock > 0 || n % problem.GroupSize != 0 || !whole;
                RowWeightGradients<TSimd, TVector>.Compute(
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
