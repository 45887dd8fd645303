using System.Diagnostics;
using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>What a call carries from forward to backward besides tensors.</summary>
internal sealed class FusedRoutingOptions
{
    public required int Iterations { get; init; }

    public required bool Leaky { get; init; }

    public required bool GradientThroughAll { get; init; }

    public required bool HasBias { get; init; }

    public required bool HasLogits { get; init; }

    /// <summary>How the CPU's kernel uses vectors.</summary>
    public required VectorPlan Plan { get; init; }

    /// <summary>What runs the kernels of routing.cu; null for the CPU's kernel.</summary>
    public IKernelLauncher? Launcher { get; init; }

    /// <summary>For each tensor in the order u, weight, bias, logits, of those that are there.</summary>
    public List<bool> RequiresGrad { get; } = [];
}

/// <summary>From tensors to the kernel and back: dtypes, memory order, pointers, and the choice of vector width.</summary>
internal static unsafe class FusedRoutingCall
{
    /// <summary>The capsules, in float32, of <paramref name="inputs"/>: u, weight, and bias and logits where the options say so.</summary>
    /// <remarks>To be called inside a dispose scope: temporaries stay in it.</remarks>
    public static Tensor Forward(List<Tensor> inputs, FusedRoutingOptions options, out Tensor? saved, bool save)
    {
        if (options.Launcher is { } launcher)
        {
            return CudaRoutingCall.Forward(inputs, options, launcher, out saved, save);
        }

        var prepared = inputs.ConvertAll(Prepare);
        var problem = Problem(prepared, options);
        var output = empty(problem.B, problem.J, problem.E, dtype: ScalarType.Float32);
        saved = save ? empty(problem.Passes * (long)problem.Blocks * problem.Capsules, dtype: ScalarType.Float32) : null;
        var target = TensorMemory.Floats(output);
        var sums = saved is null ? null : TensorMemory.Floats(saved);
        KernelOf(options.Plan).Forward(problem, target, sums);

        KeepAlive(prepared);
        GC.KeepAlive(output);
        GC.KeepAlive(saved);
        return output;
    }

    /// <summary>The gradients of <paramref name="inputs"/>, null where none is required.</summary>
    /// <remarks>To be called inside a dispose scope: temporaries stay in it.</remarks>
    public static List<Tensor?> Backward(List<Tensor> inputs, Tensor saved, Tensor outputGradient, FusedRoutingOptions options)
    {
        if (options.Launcher is { } launcher)
        {
            return CudaRoutingCall.Backward(inputs, saved, outputGradient, options, launcher);
        }

        var dtype = inputs[0].dtype;
        var prepared = inputs.ConvertAll(Prepare);
        var upstream = Prepare(outputGradient);
        var results = new List<Tensor?>();
        for (var i = 0; i < prepared.Count; i++)
        {
            results.Add(options.RequiresGrad[i] ? empty(prepared[i].shape, dtype: ScalarType.Float32) : null);
        }

        var problem = Problem(prepared, options);
        var gradients = new RoutingGradients
        {
            Input = Pointer(results[0]),
            Weight = Pointer(results[1]),
            Bias = options.HasBias ? Pointer(results[2]) : null,
            Logits = options.HasLogits ? Pointer(results[^1]) : null,
        };
        var sums = TensorMemory.Floats(saved);
        var source = TensorMemory.Floats(upstream);
        KernelOf(options.Plan).Backward(problem, sums, source, gradients);

        KeepAlive(prepared);
        KeepAlive(results);
        GC.KeepAlive(saved);
        GC.KeepAlive(upstream);
        return dtype == ScalarType.Float32 ? results : results.ConvertAll(result => result?.to(dtype));
    }

    private static Kernel KernelOf(VectorPlan plan) => plan switch
    {
        (LaneContent.Rows, 16) => Kernel.Of<RowsInLanes<Simd512, Vector512<float>>>(),
        (LaneContent.Rows, 8) => Kernel.Of<RowsInLanes<Simd256, Vector256<float>>>(),
        (LaneContent.Rows, 4) => Kernel.Of<RowsInLanes<Simd128, Vector128<float>>>(),
        (LaneContent.Entries, 16) => Kernel.Of<EntriesInLanes<Simd512, Vector512<float>>>(),
        (LaneContent.Entries, 8) => Kernel.Of<EntriesInLanes<Simd256, Vector256<float>>>(),
        (LaneContent.Entries, 4) => Kernel.Of<EntriesInLanes<Simd128, Vector128<float>>>(),
        _ => throw new UnreachableException($"No kernel has {plan}."),
    };

    /// <summary>The same values as float32, row-major: bfloat16 inputs and weights are small beside the votes they stand for.</summary>
    private static Tensor Prepare(Tensor tensor) => tensor.detach().to(ScalarType.Float32).contiguous();

    private static RoutingProblem Problem(List<Tensor> inputs, FusedRoutingOptions options)
    {
        var (u, weight) = (inputs[0], inputs[1]);
        var logits = options.HasLogits ? inputs[^1] : null;
        return new RoutingProblem
        {
            B = (int)u.size(0),
            N = (int)u.size(1),
            D = (int)u.size(2),
            J = (int)weight.size(1),
            E = (int)weight.size(3),
            GroupSize = (int)(u.size(1) / weight.size(0)),
            Iterations = options.Iterations,
            Leaky = options.Leaky,
            GradientThroughAll = options.GradientThroughAll,
            Logits = logits is null ? LogitsLayout.None : logits.ndim == 2 ? LogitsLayout.Shared : LogitsLayout.PerRow,
            Input = TensorMemory.Floats(u),
            Weight = TensorMemory.Floats(weight),
            Bias = options.HasBias ? TensorMemory.Floats(inputs[2]) : null,
            InitialLogits = Pointer(logits),
            Plan = options.Plan,
            Threads = Threads(u.numel() * weight.size(1) * weight.size(3)),
        };
    }

    /// <summary>Threads for a pass of so many products: waking one costs as much as it saves below about a hundred thousand.</summary>
    private static int Threads(long products) => (int)Math.Clamp(products / 100_000, 1, Math.Max(get_num_threads(), 1));

    private static float* Pointer(Tensor? tensor) => tensor is null ? null : TensorMemory.Floats(tensor);

    private static void KeepAlive(IReadOnlyList<Tensor?> tensors)
    {
        foreach (var tensor in tensors)
        {
            GC.KeepAlive(tensor);
        }
    }

    /// <summary>Forward and backward for one use of vectors.</summary>
    private readonly struct Kernel
    {
        public delegate*<in RoutingProblem, float*, float*, void> Forward { get; private init; }

        public delegate*<in RoutingProblem, float*, float*, in RoutingGradients, void> Backward { get; private init; }

        public static Kernel Of<TLayout>() where TLayout : struct, IVectorLayout => new()
        {
            Forward = &DynamicRoutingForward<TLayout>.Run, Backward = &DynamicRoutingBackward<TLayout>.Run,
        };
    }
}
