using static TorchSharp.torch;

namespace Capsules;

/// <summary>The node of the autograd graph around the kernel.</summary>
/// <remarks>Arguments: the tensors that are there of u, weight, bias, logits, in this order, then the options.</remarks>
internal sealed class FusedRoutingFunction : autograd.SingleTensorFunction<FusedRoutingFunction>
{
    private const string Options = "options";

    // The gradients that the last call on this thread returned. See backward.
    [ThreadStatic]
    private static List<Tensor?>? _returned;

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
        var results = new List<Tensor?>();
        _returned?.ForEach(gradient => gradient?.Dispose());

        // An exception that leaves this method ends the process, so none may.
        try
        {
            using var scope = NewDisposeScope();
            using var upstream = grad_output;
            if (upstream.IsInvalid)
            {
                results.AddRange(options.RequiresGrad.Select(_ => (Tensor?)null));
            }
            else
            {
                var saved = ctx.get_saved_variables();
                results.AddRange(Gradients(saved, upstream, options));
                results.ForEach(result => result?.DetachFromDisposeScope());
            }
        }
#pragma warning disable CA1031
        catch (Exception exception)
#pragma warning restore CA1031
        {
            results.Clear();
            results.AddRange(Failed(ctx, options, exception));
        }

        // Until the engine has taken its own references these wrappers are all that keeps the gradients alive, and the
        // collector does not see that native code is about to read them. By the next call on this thread it has, so at most
        // one call's wrappers stay, whatever dispose scope the caller has or has not.
        _returned = results.ToList();
        results.Add(null);
        return results!;
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
            options.HasLogits && options.Iterations > 0 ? inputs[^1] : null).Capsules;
        var wanted = inputs.Where((_, i) => options.RequiresGrad[i]).ToList();

        // TorchSharp frees the graph unless told to keep it, even while it creates the graph of the gradient, which needs it.
        var gradients = autograd.grad([output], wanted, [upstream], retain_graph: true, create_graph: true, allow_unused: true);
        var next = 0;
        return options.RequiresGrad.ConvertAll(required => required ? Present(gradients[next++]) : null);
    }

    private static Tensor? Present(Tensor? tensor) => tensor is null || tensor.IsInvalid ? null : tensor;

    private static List<Tensor?> Failed(autograd.AutogradContext ctx, FusedRoutingOptions options, Exception exception)
    {
        Console.Error.WriteLine($"Capsules: the backward of dynamic routing failed; its gradients are NaN. {exception}");
        try
        {
            using var scope = NewDisposeScope();
            using var off = no_grad();
            var inputs = ctx.get_saved_variables();
            return Enumerable.Range(0, options.RequiresGrad.Count)
                .Select(i => options.RequiresGrad[i] ? (Tensor?)full_like(inputs[i], double.NaN).DetachFromDisposeScope() : null)
                .ToList();
        }
#pragma warning disable CA1031
        catch (Exception)
#pragma warning restore CA1031
        {
            // Not even that: no gradient at all, rather than an end of the process.
            return options.RequiresGrad.ConvertAll(_ => (Tensor?)null);
        }
    }
}
