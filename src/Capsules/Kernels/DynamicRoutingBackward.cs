using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>The gradients that a backward pass is asked for; null where not asked.</summary>
internal unsafe struct RoutingGradients
{
    public float* Input;
    public float* Weight;
    public float* Bias;
    public float* Logits;
}

/// <summary>The gradient of dynamic routing, with votes and couplings made again instead of kept.</summary>
/// <remarks>
/// Iterations depend on each other only through the (B, J, E) vectors V(t) and ds(t). So from the last iteration to the second
/// one pass each gives the gradient of V(t-1), from which ds(t-1) follows; with all of them known a single further pass gives
/// the gradients of everything else, for all iterations at once (<see cref="GradientPass{TSimd,TVector}"/>).
/// </remarks>
internal static unsafe class DynamicRoutingBackward<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
    private struct Step
    {
        public RoutingProblem Problem;
        public GradientVectors Layout;
        public float* Saved;
        public float* OutputGradient;
        public float* Vectors;
        public float* Partials;
        public int Parts;
        public float* RunningGradient;
        public int Iteration;
        public float* BiasGradient;
        public int BiasTasks;
    }

    /// <param name="problem">Sizes and inputs.</param>
    /// <param name="saved">s of every iteration, as the forward saved it.</param>
    /// <param name="outputGradient">The gradient of v, (B, J, E).</param>
    /// <param name="gradients">Where the gradients go.</param>
    public static void Run(in RoutingProblem problem, float* saved, float* outputGradient, in RoutingGradients gradients)
    {
        var layout = new GradientVectors(problem);
        var all = problem.Blocks * problem.Capsules;
        var partialFloats = VotePass<TSimd, TVector>.PartialFloats(problem);
        var weightPartials = gradients.Weight == null ? 0 : NativeBuffer.Aligned(GradientPass<TSimd, TVector>.WeightPartialFloats(problem));
        var scratch = Math.Max(VotePass<TSimd, TVector>.ScratchFloats(problem), GradientPass<TSimd, TVector>.ScratchFloats(problem));
        using var buffer = new NativeBuffer((layout.Count + 1) * all + partialFloats + weightPartials + scratch);

        var step = new Step
        {
            Problem = problem,
            Layout = layout,
            Saved = saved,
            OutputGradient = outputGradient,
            Vectors = buffer.Pointer,
            RunningGradient = buffer.Pointer + layout.Count * all,
            Partials = buffer.Pointer + (layout.Count + 1) * all,
            Parts = VotePass<TSimd, TVector>.Parts(problem),
        };
        var scratchMemory = step.Partials + partialFloats + weightPartials;
        ParallelFor.RunIfWorthwhile(problem.Blocks, all * problem.Passes, &Start, &step);

        if (problem.GradientThroughAll)
        {
            var pass = new VotePass<TSimd, TVector>.Job
            {
                Problem = problem,
                Kind = VotePassKind.AgreementGradient,
                ProbeBlockStride = layout.Count * problem.Capsules,
                ProbeStride = layout.Pairs * problem.Capsules,
                Partials = step.Partials,
                Scratch = scratchMemory,
            };
            for (var iteration = problem.Passes; iteration >= 2; iteration--)
            {
                pass.Probes = step.Vectors + GradientVectors.V(iteration) * problem.Capsules;
                VotePass<TSimd, TVector>.Run(ref pass);
                step.Iteration = iteration;
                ParallelFor.RunIfWorthwhile(problem.Blocks, all * step.Parts, &Previous, &step);
            }
        }

        if (gradients.Bias != null)
        {
            step.BiasGradient = gradients.Bias;
            step.BiasTasks = Math.Min(problem.Threads, problem.J);
            ParallelFor.RunIfWorthwhile(step.BiasTasks, all * problem.Passes, &Bias, &step);
        }

        if (gradients.Input != null || gradients.Weight != null || gradients.Logits != null)
        {
            var pass = new GradientPass<TSimd, TVector>.Job
            {
                Problem = problem,
                Vectors = step.Vectors,
                InputGradient = gradients.Input,
                WeightGradient = gradients.Weight,
                LogitsGradient = gradients.Logits,
                WeightPartials = step.Partials + partialFloats,
                Scratch = scratchMemory,
            };
            GradientPass<TSimd, TVector>.Run(ref pass);
        }
    }

    /// <summary>The running sums V of every iteration, from the saved s, and ds of the last.</summary>
    private static void Start(int block, void* state)
    {
        ref var step = ref *(Step*)state;
        ref var problem = ref step.Problem;
        var size = problem.Capsules;
        var vectors = step.Vectors + block * step.Layout.Count * size;
        var s = step.Saved + block * size;
        var row = problem.E * (nint)problem.Lanes;
        float* previous = null;
        for (var iteration = 1; iteration < problem.Passes; iteration++)
        {
            var v = vectors + (problem.GradientThroughAll ? iteration - 1 : 0) * size;
            for (var j = 0; j < problem.J; j++)
            {
                SquashLanes<TSimd, TVector>.Forward(s + j * row, previous == null ? null : previous + j * row, v + j * row, problem.E);
            }

            previous = v;
            s += problem.Blocks * size;
        }

        var gradient = step.RunningGradient + block * size;
        var columns = problem.J * problem.E;
        BatchLanes.Pack(
            step.OutputGradient + (nint)block * problem.Lanes * columns, columns, problem.RowsOf(block), columns, gradient, problem.Lanes);
        var last = vectors + (problem.GradientThroughAll ? step.Layout.Ds(problem.Passes) : step.Layout.Count - 1) * size;
        for (var j = 0; j < problem.J; j++)
        {
            SquashLanes<TSimd, TVector>.Backward(s + j * row, gradient + j * row, last + j * row, problem.E);
        }

        // From here on: the sum of the gradients of V(t) over the iterations t that are done.
        NativeMemory.Clear(gradient, (nuint)(size * sizeof(float)));
    }

    /// <summary>v(t-1) is in V of every later iteration, so its gradient is the sum of theirs; ds(t-1) follows.</summary>
    private static void Previous(int block, void* state)
    {
        ref var step = ref *(Step*)state;
        ref var problem = ref step.Problem;
        var size = problem.Capsules;
        var gradient = step.RunningGradient + block * size;
        var partial = step.Partials + block * size;
        for (nint at = 0; at < size; at += problem.Lanes)
        {
            var sum = TSimd.Load(gradient + at);
            for (var part = 0; part < step.Parts; part++)
            {
                sum = TSimd.Add(sum, TSimd.Load(partial + part * problem.Blocks * size + at));
            }

            TSimd.Store(sum, gradient + at);
        }

        var s = step.Saved + ((nint)(step.Iteration - 2) * problem.Blocks + block) * size;
        var target = step.Vectors + (block * step.Layout.Count + step.Layout.Ds(step.Iteration - 1)) * size;
        var row = problem.E * (nint)problem.Lanes;
        for (var j = 0; j < problem.J; j++)
        {
            SquashLanes<TSimd, TVector>.Backward(s + j * row, gradient + j * row, target + j * row, problem.E);
        }
    }

    /// <summary>The bias is in s of every iteration that takes part: its gradient sums their ds over the batch.</summary>
    private static void Bias(int task, void* state)
    {
        ref var step = ref *(Step*)state;
        ref var problem = ref step.Problem;
        var first = problem.J * task / step.BiasTasks * problem.E;
        var last = problem.J * (task + 1) / step.BiasTasks * problem.E;
        for (var i = first; i < last; i++)
        {
            var sum = TSimd.Zero;
            for (var block = 0; block < problem.Blocks; block++)
            {
                var vectors = step.Vectors + block * step.Layout.Count * problem.Capsules + (nint)i * problem.Lanes;
                for (var vector = step.Layout.Pairs; vector < step.Layout.Count; vector++)
                {
                    sum = TSimd.Add(sum, TSimd.Load(vectors + vector * problem.Capsules));
                }
            }

            step.BiasGradient[i] = TSimd.Sum(sum);
        }
    }
}
