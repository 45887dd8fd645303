using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>The gradient of dynamic routing, with votes and couplings made again instead of kept.</summary>
/// <remarks>
/// Iterations depend on each other only through the (B, J, E) vectors V(t) and ds(t). So from the last iteration to the second
/// one pass each gives the gradient of V(t-1), from which ds(t-1) follows; with all of them known a single further pass gives
/// the gradients of everything else, for all iterations at once (<see cref="GradientPassJob"/>).
/// </remarks>
internal static unsafe class DynamicRoutingBackward<TLayout> where TLayout : struct, IVectorLayout
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
        var parts = TLayout.Parts(problem);
        var weightPartials = gradients.Weight == null ? 0 : NativeBuffer.Aligned(new WeightOwnership(problem).PartialFloats);
        var scratch = Math.Max(TLayout.VotePassScratch(problem), TLayout.GradientPassScratch(problem));
        using var buffer = new NativeBuffer((layout.Count + 1 + parts) * all + weightPartials + scratch);

        var step = new Step
        {
            Problem = problem,
            Layout = layout,
            Saved = saved,
            OutputGradient = outputGradient,
            Vectors = buffer.Pointer,
            RunningGradient = buffer.Pointer + layout.Count * all,
            Partials = buffer.Pointer + (layout.Count + 1) * all,
            Parts = parts,
        };
        var weightPartialsMemory = step.Partials + parts * all;
        var scratchMemory = weightPartialsMemory + weightPartials;
        ParallelFor.RunIfWorthwhile(problem.Blocks, all * problem.Passes, &Start, &step);

        // The forward's last pass went down where their number is even.
        var downwards = problem.Passes % 2 == 1;
        if (problem.GradientThroughAll)
        {
            var pass = new VotePassJob
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
                pass.Downwards = downwards;
                downwards = !downwards;
                TLayout.Run(ref pass);
                step.Iteration = iteration;
                ParallelFor.RunIfWorthwhile(problem.Blocks, all * parts, &Previous, &step);
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
            var pass = new GradientPassJob
            {
                Problem = problem,
                Vectors = step.Vectors,
                InputGradient = gradients.Input,
                WeightGradient = gradients.Weight,
                LogitsGradient = gradients.Logits,
                WeightPartials = weightPartialsMemory,
                Scratch = scratchMemory,

                // Where capsules share weights the first of them writes their gradient and the others add to it.
                Downwards = downwards && problem.GroupSize == 1,
            };
            TLayout.Run(ref pass);
        }
    }

    /// <summary>The running sums V of every iteration, from the saved s, and ds of the last.</summary>
    private static void Start(int block, void* state)
    {
        ref var step = ref *(Step*)state;
        ref var problem = ref step.Problem;
        var size = problem.Capsules;
        var vectors = step.Vectors + (nint)block * step.Layout.Count * size;
        var s = step.Saved + block * size;
        float* previous = null;
        for (var iteration = 1; iteration < problem.Passes; iteration++)
        {
            var v = vectors + (problem.GradientThroughAll ? iteration - 1 : 0) * size;
            TLayout.Squash(problem, s, previous, v);
            previous = v;
            s += problem.Blocks * size;
        }

        var gradient = step.RunningGradient + block * size;
        TLayout.Pack(problem, block, step.OutputGradient, gradient);
        var last = vectors + (problem.GradientThroughAll ? step.Layout.Ds(problem.Passes) : step.Layout.Count - 1) * size;
        TLayout.SquashGradient(problem, s, gradient, last);

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

        // The running sum is one more part: it lies just before the partial sums, a whole array away.
        TLayout.AddParts(problem, gradient, problem.Blocks * size, step.Parts + 1, 1f, null, gradient);
        var s = step.Saved + ((nint)(step.Iteration - 2) * problem.Blocks + block) * size;
        var target = step.Vectors + ((nint)block * step.Layout.Count + step.Layout.Ds(step.Iteration - 1)) * size;
        TLayout.SquashGradient(problem, s, gradient, target);
    }

    /// <summary>The bias is in s of every iteration that takes part: its gradient sums their ds over the batch.</summary>
    private static void Bias(int task, void* state)
    {
        ref var step = ref *(Step*)state;
        ref var problem = ref step.Problem;
        var first = (int)((long)problem.J * task / step.BiasTasks);
        var last = (int)((long)problem.J * (task + 1) / step.BiasTasks);
        TLayout.SumOverBatch(
            problem, step.Vectors + step.Layout.Pairs * problem.Capsules, step.Layout.Count * problem.Capsules,
            step.Layout.Count - step.Layout.Pairs, first, last, step.BiasGradient);
    }
}
