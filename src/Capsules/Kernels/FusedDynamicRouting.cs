using static TorchSharp.torch;

namespace Capsules;

/// <summary>Dynamic routing by the fused kernel of the tensors' device, as an operation that torch differentiates.</summary>
internal static class FusedDynamicRouting
{
    /// <summary>Why the kernel cannot serve these arguments, or null when it can.</summary>
    /// <remarks>That of CUDA with a <paramref name="launcher"/>, wherever the tensors are; else that of their device.</remarks>
    public static string? WhyNot(Tensor u, Tensor weight, Tensor? bias, Tensor? logits, IKernelLauncher? launcher = null)
    {
        foreach (var (name, tensor) in Named(u, weight, bias, logits))
        {
            if (tensor.device_type is not (DeviceType.CPU or DeviceType.CUDA))
            {
                return $"The fused kernel runs on the CPU and on CUDA GPUs, but {name} is on {tensor.device}.";
            }

            if (tensor.device_type != u.device_type || tensor.device_index != u.device_index)
            {
                return $"The fused kernel needs one device for all arguments, but u is on {u.device} and {name} on {tensor.device}.";
            }

            var onCuda = launcher is not null || IsCuda(tensor);
            if (tensor.dtype is not (ScalarType.Float32 or ScalarType.BFloat16) && !(tensor.dtype == ScalarType.Float16 && onCuda))
            {
                var served = onCuda ? "float32, bfloat16 and float16" : "float32 and bfloat16";
                return $"The fused kernel serves {served}, but {name} is {tensor.dtype}.";
            }

            if (tensor.dtype != u.dtype)
            {
                return $"The fused kernel needs one dtype for all arguments, but u is {u.dtype} and {name} is {tensor.dtype}.";
            }

            if (tensor.is_sparse)
            {
                return $"The fused kernel reads dense memory, but {name} is sparse.";
            }
        }

        if (u.ndim != 3 || weight.ndim != 4 || u.size(2) != weight.size(2) || weight.size(0) == 0 || u.size(1) % weight.size(0) != 0)
        {
            return "The fused kernel expects u (B, N, D) and weight (G, J, D, E) with N a multiple of G, but got " +
                $"{ShapeGuard.Text(u.shape)} and {ShapeGuard.Text(weight.shape)}.";
        }

        var (batch, inCapsules, outCapsules, outDim) = (u.size(0), u.size(1), weight.size(1), weight.size(3));
        if (bias is not null && (bias.ndim != 2 || bias.size(0) != outCapsules || bias.size(1) != outDim))
        {
            return $"The fused kernel expects bias (J, E) = ({outCapsules}, {outDim}), but got {ShapeGuard.Text(bias.shape)}.";
        }

        if (logits is not null
            && (logits.ndim is not (2 or 3) || logits.size(-1) != outCapsules || logits.size(-2) != inCapsules || (logits.ndim == 3 && logits.size(0) != batch)))
        {
            return $"The fused kernel expects logits (N, J) = ({inCapsules}, {outCapsules}) or (B, N, J), but got {ShapeGuard.Text(logits.shape)}.";
        }

        if (u.numel() == 0 || weight.numel() == 0)
        {
            return "The fused kernel needs at least one element in every dimension.";
        }

        // Counters of rows, of input capsules, and within one block of rows are ints, and are rounded up to vectors and tiles.
        if (weight.numel() / weight.size(0) > int.MaxValue / 64 || batch > 1 << 30 || inCapsules > 1 << 30)
        {
            return "The fused kernel counts rows, input capsules and the weights of one in 32 bits, and these are too many.";
        }

        return launcher is not null ? CudaRoutingPlan.WhyNot(CudaRoutingCall.SizesOf(u, weight))
            : IsCuda(u) ? WhyNotOnCuda(u, weight)
            : null;
    }

    /// <summary>Routes input capsules to output capsules.</summary>
    /// <param name="u">Input capsules (B, N, D).</param>
    /// <param name="weight">(G, J, D, E): input capsule n uses weight[n / (N / G)].</param>
    /// <param name="bias">(J, E), added before every squash.</param>
    /// <param name="logits">Initial logits, (N, J) or (B, N, J).</param>
    /// <param name="iterations">Routing iterations; 0 couples uniformly and takes no logits.</param>
    /// <param name="leaky">Whether the softmax has one more entry, of logit 0, whose share goes nowhere.</param>
    /// <param name="gradientThroughAll">Whether gradients flow through every iteration, or the last coupling counts as constant.</param>
    /// <param name="plan">How the CPU uses vectors. Null chooses by machine and sizes.</param>
    /// <param name="launcher">What runs the kernels of routing.cu. Null: the GPU for tensors on one; else the CPU's kernel serves.</param>
    /// <returns>Capsules v (B, J, E), float32.</returns>
    public static Tensor Apply(
        Tensor u,
        Tensor weight,
        Tensor? bias,
        Tensor? logits,
        int iterations,
        bool leaky,
        bool gradientThroughAll,
        VectorPlan? plan = null,
        IKernelLauncher? launcher = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(iterations);
        if (WhyNot(u, weight, bias, logits, launcher) is { } reason)
        {
            throw new ArgumentException(reason);
        }

        if (logits is not null && iterations == 0)
        {
            throw new ArgumentException("0 iterations couple uniformly and take no logits.", nameof(logits));
        }

        var use = plan ?? VectorPlan.For(u.size(0), weight.size(1), weight.size(3));
        if (!use.Fits(weight.size(3)))
        {
            throw new ArgumentException($"Output capsules of {weight.size(3)} entries do not fill {use.Lanes} lanes.", nameof(plan));
        }

        using var scope = NewDisposeScope();
        var inputs = new List<Tensor>();
        var options = new FusedRoutingOptions
        {
            Iterations = iterations,
            Leaky = leaky,
            GradientThroughAll = gradientThroughAll,
            HasBias = bias is not null,
            HasLogits = logits is not null,
            Plan = use,
            Launcher = launcher ?? (IsCuda(u) ? CudaKernels.For(u.device_index, u.dtype, out _) : null),
        };
        foreach (var (name, tensor) in Named(u, weight, bias, logits))
        {
            inputs.Add(tensor);

            // With the last coupling held constant nothing reaches the logits, as in the reference.
            options.RequiresGrad.Add(tensor.requires_grad && (gradientThroughAll || name != nameof(logits)));
        }

        if (!is_grad_enabled() || !options.RequiresGrad.Contains(true))
        {
            // Nothing to differentiate: no node, and nothing saved.
            return FusedRoutingCall.Forward(inputs, options, out _, save: false).MoveToOuterDisposeScope();
        }

        return FusedRoutingFunction.apply([.. inputs.Select(GuardedBackward.Argument), options]).MoveToOuterDisposeScope();
    }

    private static bool IsCuda(Tensor tensor) => tensor.device_type == DeviceType.CUDA;

    private static string? WhyNotOnCuda(Tensor u, Tensor weight) =>
        CudaKernels.For(u.device_index, u.dtype, out var reason) is null
            ? $"The CUDA kernel cannot be loaded: {reason}"
            : CudaRoutingPlan.WhyNot(CudaRoutingCall.SizesOf(u, weight));

    private static IEnumerable<(string Name, Tensor Tensor)> Named(Tensor u, Tensor weight, Tensor? bias, Tensor? logits)
    {
        yield return (nameof(u), u);
        yield return (nameof(weight), weight);
        if (bias is not null)
        {
            yield return (nameof(bias), bias);
        }

        if (logits is not null)
        {
            yield return (nameof(logits), logits);
        }
    }
}
