using static TorchSharp.torch;

namespace Capsules;

/// <summary>The node of the autograd graph around the kernel.</summary>
/// <remarks>Arguments: the tensors that are there of u, weight, bias, logits, in this order, then the options.</remarks>
internal sealed class FusedRoutingFunction : autograd.SingleTensorFunction<FusedRoutingFunction>
{
    private const string Options = "options";

    public override string Name => "CapsulesFusedDynamicRouting";

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var inputs = vars.OfType<Tensor>().ToList();
        var options = (FusedRoutingOptions)vars[^1];
        var output = FusedRoutingCall.Forward(inputs, options, out var saved, save: true);
        ctx.save_for_backward([.. inputs, saved!]);
        ctx.save_data(Options, options);

        // Zeros for an absent gradient would be made from a tensor that the caller's dispose scope has already freed.
        ctx.set_materialize_grads(false);
        return output;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var options = (FusedRoutingOptions)ctx.get_data(Options);
        return GuardedBackward.Run(
            ctx, grad_output, options.RequiresGrad, "dynamic routing", (saved, upstream) => Gradients(saved, upstream, options));
    }

    private static List<Tensor?> Gradients(List<Tensor> saved, Tensor upstream, FusedRoutingOptions options)
    {
        var inputs = saved.GetRange(0, saved.Count - 1);
        return is_grad_enabled()
            ? DifferentiableGradients(inputs, upstream, options)
            : FusedRoutingCall.Backward(inputs, saved[^1], upstream, options);
    }

    /// <summary>Gradients that can be differentiated themselves (create_graph): the kernel's cannot, torch's operations' can.</summary>
    private static List<Tensor?> DifferentiableGradients(List<Tensor> inputs, Tensor upstream, FusedRoutingOptions options)
    {
        using var reference = new DynamicRouting(
            options.Iterations,
            options.Leaky,
            options.GradientThroughAll ? RoutingGradient.AllIterations : RoutingGradient.LastIteration,
            RoutingKernel.Reference);
        var output = reference.Route(
            new LinearVotes(inputs[0], inputs[1]),
            options.HasBias ? inputs[2] : null,
            options.HasLogits ? inputs[^1] : null).Capsules;
        var wanted = inputs.Where((_, i) => options.RequiresGrad[i]).ToList();

        // TorchSharp frees the graph unless told to keep it, even while it creates the graph of the gradient, which needs it.
        var gradients = autograd.grad([output], wanted, [upstream], retain_graph: true, create_graph: true);
        var next = 0;
        return options.RequiresGrad.ConvertAll(required => required ? gradients[next++] : null);
    }
}
