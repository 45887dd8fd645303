using static TorchSharp.torch;

namespace Capsules;

/// <summary>From tensors to the launches of the CUDA kernels and back: what <see cref="FusedRoutingCall"/> is on the CPU.</summary>
/// <remarks>
/// Nothing here waits for the device. Launches and torch's operations follow each other on one stream, and so does the reuse of memory
/// of tensors that are let go. The kernels read 16-bit tensors as they are, compute in float32, and round the gradients as they write
/// them: only where several warps sum one gradient are there float32 parts of it.
/// </remarks>
internal static unsafe class CudaRoutingCall
{
    /// <summary>The capsules, in float32, of <paramref name="inputs"/>: u, weight, and bias and logits where the options say so.</summary>
    /// <remarks>To be called inside a dispose scope: temporaries stay in it.</remarks>
    public static Tensor Forward(List<Tensor> inputs, FusedRoutingOptions options, IKernelLauncher launcher, out Tensor? saved, bool save)
    {
        var problem = new Problem(inputs, options, launcher);
        var plan = problem.Plan;
        var sizes = plan.Sizes;
        var partials = problem.Empty(plan.Parts, sizes.B, sizes.J, sizes.E);
        var output = problem.Empty(sizes.B, sizes.J, sizes.E);
        var v = problem.Passes > 1 ? problem.Empty(sizes.B, sizes.J, sizes.E) : null;
        saved = save ? problem.Empty(problem.Passes, sizes.B, sizes.J, sizes.E) : null;
        for (var pass = 0; pass < problem.Passes; pass++)
        {
            var last = pass == problem.Passes - 1;
            var uniform = pass == 0 && problem.Logits is null;
            problem.Pass(uniform ? "uniform" : "coupled", partials, pass == 0 ? null : Pointer(v), null);
            launcher.Launch("capsules_routing_finish", plan.VectorBlocks, 1, CudaRoutingPlan.VectorThreads, 0, new CudaFinishArguments
            {
                Partials = Pointer(partials),
                Bias = Address(problem.Bias),
                S = saved is null ? null : Pointer(saved) + pass * problem.Vectors,
                V = last ? null : Pointer(v),
                Output = last ? Pointer(output) : null,
                Scale = uniform ? problem.UniformCoupling : 1f,
                Parts = plan.Parts,
                B = sizes.B,
                J = sizes.J,
                E = sizes.E,
                First = pass == 0 ? 1 : 0,
            });
        }

        problem.KeepAlive();
        GC.KeepAlive(partials);
        GC.KeepAlive(output);
        GC.KeepAlive(v);
        GC.KeepAlive(saved);
        return output;
    }

    /// <summary>The gradients of <paramref name="inputs"/>, null where none is required.</summary>
    /// <remarks>To be called inside a dispose scope: temporaries stay in it.</remarks>
    public static List<Tensor?> Backward(
        List<Tensor> inputs, Tensor saved, Tensor outputGradient, FusedRoutingOptions options, IKernelLauncher launcher)
    {
        var problem = new Problem(inputs, options, launcher);
        var plan = problem.Plan;
        var sizes = plan.Sizes;
        var upstream = outputGradient.detach().to(ScalarType.Float32).contiguous();
        var all = options.GradientThroughAll;
        var pairs = all ? problem.Passes - 1 : Math.Min(problem.Passes - 1, 1);
        var hasFirst = all || pairs == 0;

        // As the gradient pass reads them: V and ds of the iterations whose coupling comes from an agreement, and then ds of the first.
        var v = problem.Empty(Math.Max(pairs, 1), sizes.B, sizes.J, sizes.E);
        var ds = problem.Empty(pairs + (hasFirst ? 1 : 0), sizes.B, sizes.J, sizes.E);
        launcher.Launch("capsules_routing_start", plan.VectorBlocks, 1, CudaRoutingPlan.VectorThreads, 0, new CudaStartArguments
        {
            S = Pointer(saved),
            Upstream = Pointer(upstream),
            V = Pointer(v),
            Ds = Pointer(ds) + Math.Max(pairs - 1, 0) * problem.Vectors,
            Iterations = problem.Passes,
            All = all ? 1 : 0,
            B = sizes.B,
            J = sizes.J,
            E = sizes.E,
        });
        if (all && pairs > 0)
        {
            PassBackwards(problem, pairs, saved, v, ds);
        }

        var results = Gradients(problem, options, pairs, hasFirst, v, ds);
        problem.KeepAlive();
        GC.KeepAlive(saved);
        GC.KeepAlive(upstream);
        GC.KeepAlive(v);
        GC.KeepAlive(ds);
        return results;
    }

    /// <summary>From the last iteration to the second: the gradient of V(t-1), and from it ds(t-1).</summary>
    private static void PassBackwards(Problem problem, int pairs, Tensor saved, Tensor v, Tensor ds)
    {
        // Launches run one after the other, so that the gradients' parts, which come next, may lie where these parts were.
        using var scope = NewDisposeScope();
        var plan = problem.Plan;
        var sizes = plan.Sizes;
        var partials = problem.Empty(plan.Parts, sizes.B, sizes.J, sizes.E);
        var running = problem.Empty(sizes.B, sizes.J, sizes.E);
        for (var pair = pairs - 1; pair >= 0; pair--)
        {
            var at = pair * problem.Vectors;
            problem.Pass("agreement", partials, Pointer(v) + at, Pointer(ds) + at);
            problem.Launcher.Launch("capsules_routing_step", plan.VectorBlocks, 1, CudaRoutingPlan.VectorThreads, 0, new CudaStepArguments
            {
                Partials = Pointer(partials),
                S = Pointer(saved) + at,
                Running = Pointer(running),
                Ds = Pointer(ds) + (pair > 0 ? pair - 1 : pairs) * problem.Vectors,
                Parts = plan.Parts,
                B = sizes.B,
                J = sizes.J,
                E = sizes.E,
                First = pair == pairs - 1 ? 1 : 0,
            });
        }

        GC.KeepAlive(partials);
        GC.KeepAlive(running);
    }

    private static List<Tensor?> Gradients(Problem problem, FusedRoutingOptions options, int pairs, bool hasFirst, Tensor v, Tensor ds)
    {
        var plan = problem.Plan;
        var sizes = plan.Sizes;
        var wanted = options.RequiresGrad;
        var input = wanted[0] ? empty_like(problem.Input) : null;
        var weight = wanted[1] && plan.WeightParts == 1 ? empty_like(problem.Weight) : null;
        var weightParts = wanted[1] && weight is null
            ? problem.Empty(sizes.Groups, plan.WeightParts, sizes.J, sizes.D, sizes.E)
            : null;
        var bias = options.HasBias && wanted[2] ? problem.Rounded(ds.sum([0L, 1L])) : null;
        var logitsWanted = options.HasLogits && wanted[^1];
        var isLogitsWhole = problem.LogitsStride > 0 || plan.RowParts == 1;
        var logits = logitsWanted && isLogitsWhole ? empty_like(problem.Logits!) : null;
        var logitsParts = logitsWanted && !isLogitsWhole ? problem.Empty(plan.RowParts, sizes.N, sizes.J) : null;
        if (wanted[0] || wanted[1] || logitsWanted)
        {
            var arguments = new CudaGradientArguments
            {
                Input = Address(problem.Input),
                Weight = Address(problem.Weight),
                Logits = Address(problem.Logits),
                V = Pointer(v),
                Ds = Pointer(ds),
                First = hasFirst ? Pointer(ds) + pairs * problem.Vectors : null,
                InputGradient = Address(input),
                WeightGradient = Address(weight),
                WeightParts = Pointer(weightParts),
                LogitsGradient = Address(logits),
                LogitsParts = Pointer(logitsParts),
                LogitsStride = problem.LogitsStride,
                Sizes = sizes,
                Leaky = options.Leaky ? 1 : 0,
                Pairs = pairs,
                All = options.GradientThroughAll ? 1 : 0,
                Chunk = plan.GradientChunk,
                Rows = plan.GradientRows,
            };
            var kernel = $"capsules_routing_gradient_{plan.Layout.Name}";
            problem.Launcher.Launch(kernel, plan.GradientBlocks, plan.RowParts, plan.GradientThreads, plan.GradientShared, arguments);
        }

        GC.KeepAlive(weightParts);
        GC.KeepAlive(logitsParts);
        weight = weightParts is null ? weight : problem.Rounded(weightParts.sum([1L]));
        logits = logitsParts is null ? logits : problem.Rounded(logitsParts.sum([0L]));
        var results = new List<Tensor?> { input, weight };
        if (options.HasBias)
        {
            results.Add(bias);
        }

        if (options.HasLogits)
        {
            results.Add(logits);
        }

        return results;
    }

    private static float* Pointer(Tensor? tensor) => tensor is null ? null : TensorMemory.Floats(tensor);

    private static void* Address(Tensor? tensor) => tensor is null ? null : TensorMemory.Address(tensor);

    /// <summary>One call's tensors, as the kernels read them: of the launcher's dtype, row-major.</summary>
    private sealed class Problem
    {
        private readonly FusedRoutingOptions _options;

        public Problem(List<Tensor> inputs, FusedRoutingOptions options, IKernelLauncher launcher)
        {
            (_options, Launcher) = (options, launcher);
            var prepared = inputs.ConvertAll(Prepare);
            (Input, Weight) = (prepared[0], prepared[1]);
            Bias = options.HasBias ? prepared[2] : null;
            Logits = options.HasLogits ? prepared[^1] : null;
            Plan = new CudaRoutingPlan(SizesOf(Input, Weight), Passes, launcher.Multiprocessors);
            LogitsStride = Logits is { ndim: 3 } ? Logits.size(1) * Logits.size(2) : 0;
        }

        public IKernelLauncher Launcher { get; }

        public CudaRoutingPlan Plan { get; }

        public Tensor Input { get; }

        public Tensor Weight { get; }

        public Tensor? Bias { get; }

        public Tensor? Logits { get; }

        public long LogitsStride { get; }

        public int Passes => Math.Max(_options.Iterations, 1);

        public float UniformCoupling => 1f / (Plan.Sizes.J + (_options.Leaky ? 1 : 0));

        /// <summary>Floats of (B, J, E).</summary>
        public long Vectors => (long)Plan.Sizes.B * Plan.Sizes.J * Plan.Sizes.E;

        public Tensor Empty(params long[] shape) => empty(shape, dtype: ScalarType.Float32, device: Input.device);

        /// <summary>A gradient that was summed in float32, in the dtype of what it is the gradient of.</summary>
        public Tensor Rounded(Tensor gradient) => gradient.to(Launcher.Dtype);

        public void Pass(string kind, Tensor partials, float* v, float* ds)
        {
            var arguments = new CudaPassArguments
            {
                Input = Address(Input),
                Weight = Address(Weight),
                Logits = Address(Logits),
                V = v,
                Ds = ds,
                Partials = Pointer(partials),
                LogitsStride = LogitsStride,
                Sizes = Plan.Sizes,
                Leaky = _options.Leaky ? 1 : 0,
                RowWarps = Plan.RowWarps,
                Chunk = Plan.Chunk,
            };
            var kernel = $"capsules_routing_{kind}_{Plan.Layout.Name}";
            Launcher.Launch(kernel, Plan.RowTiles, Plan.Parts, Plan.PassThreads, Plan.PassShared, arguments);
        }

        private Tensor Prepare(Tensor tensor) => tensor.dtype == Launcher.Dtype
            ? tensor.detach().contiguous()
            : throw new ArgumentException($"The kernels that were loaded are for {Launcher.Dtype}, but a tensor is {tensor.dtype}.");

        public void KeepAlive()
        {
            GC.KeepAlive(Input);
            GC.KeepAlive(Weight);
            GC.KeepAlive(Bias);
            GC.KeepAlive(Logits);
        }
    }

    /// <summary>The sizes of u (B, N, D) and weight (G, J, D, E).</summary>
    public static CudaRoutingSizes SizesOf(Tensor u, Tensor weight) =>
        new((int)u.size(0), (int)u.size(1), (int)u.size(2), (int)weight.size(1), (int)weight.size(3), (int)(u.size(1) / weight.size(0)));
}
