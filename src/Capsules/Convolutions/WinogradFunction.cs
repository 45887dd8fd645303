using static TorchSharp.torch;

namespace Capsules;

/// <summary>The node of the autograd graph around <see cref="WinogradConvolution"/>.</summary>
/// <remarks>Arguments: input (B, C, H, W), weight (O, C, kh, kw), geometry.</remarks>
internal sealed class WinogradFunction : autograd.SingleTensorFunction<WinogradFunction>
{
    private const string Saved = "geometry";

    // The gradients that the last call on this thread returned. See backward.
    [ThreadStatic]
    private static List<Tensor?>? _returned;

    public override string Name => "CapsulesWinogradConvolution";

    /// <summary>Convolves without bias.</summary>
    public static Tensor Convolve(Tensor input, Tensor weight, ConvolutionGeometry geometry)
    {
        using var scope = NewDisposeScope();
        if (is_grad_enabled() && (input.requires_grad || weight.requires_grad))
        {
            return apply(input, weight, geometry).MoveToOuterDisposeScope();
        }

        return Forward(input, weight, geometry).MoveToOuterDisposeScope();
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (input, weight, geometry) = ((Tensor)vars[0], (Tensor)vars[1], (ConvolutionGeometry)vars[2]);
        ctx.save_for_backward([input, weight]);
        ctx.save_data(Saved, geometry with { WantsInput = input.requires_grad, WantsWeight = weight.requires_grad });

        // Zeros for an absent gradient would be made from a tensor that the caller's dispose scope has already freed.
        ctx.set_materialize_grads(false);
        return Forward(input, weight, geometry);
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var geometry = (ConvolutionGeometry)ctx.get_data(Saved);
        List<Tensor?> results = [];
        _returned?.ForEach(gradient => gradient?.Dispose());

        // An exception that leaves this method ends the process, so none may.
        try
        {
            using var scope = NewDisposeScope();
            using var upstream = grad_output;
            if (upstream.IsInvalid)
            {
                results = [null, null];
            }
            else
            {
                var saved = ctx.get_saved_variables();
                results = Gradients(saved[0], saved[1], upstream, geometry);
                results.ForEach(result => result?.DetachFromDisposeScope());
            }
        }
#pragma warning disable CA1031
        catch (Exception exception)
#pragma warning restore CA1031
        {
            results = Failed(ctx, geometry, exception);
        }

        // Until the engine has taken its own references these wrappers are all that keeps the gradients alive, and the
        // collector does not see that native code is about to read them.
        _returned = [.. results];
        results.Add(null);
        return results!;
    }

    private static Tensor Forward(Tensor input, Tensor weight, ConvolutionGeometry geometry)
    {
        using var scope = NewDisposeScope();
        using var off = no_grad();
        using var convolution = new WinogradConvolution(input.shape, weight.shape, geometry.Stride, geometry.Padding);
        return convolution.Forward(input.contiguous(), weight.contiguous()).MoveToOuterDisposeScope();
    }

    private static List<Tensor?> Gradients(Tensor input, Tensor weight, Tensor upstream, ConvolutionGeometry geometry)
    {
        if (!is_grad_enabled())
        {
            using var convolution = new WinogradConvolution(input.shape, weight.shape, geometry.Stride, geometry.Padding);
            var (dInput, dWeight) = convolution.Backward(
                input.contiguous(), weight.contiguous(), upstream.contiguous(), geometry.WantsInput, geometry.WantsWeight);
            return [dInput, dWeight];
        }

        // Gradients that can be differentiated themselves (create_graph): torch's convolution gives them.
        var output = geometry.Reference(input, weight, null);
        List<Tensor> wanted = [.. geometry.WantsInput ? [input] : (Tensor[])[], .. geometry.WantsWeight ? [weight] : (Tensor[])[]];
        var gradients = autograd.grad([output], wanted, [upstream], retain_graph: true, create_graph: true);
        return [geometry.WantsInput ? gradients[0] : null, geometry.WantsWeight ? gradients[^1] : null];
    }

    private static List<Tensor?> Failed(autograd.AutogradContext ctx, ConvolutionGeometry geometry, Exception exception)
    {
        Console.Error.WriteLine($"Capsules: the backward of a Winograd convolution failed; its gradients are NaN. {exception}");
        try
        {
            using var scope = NewDisposeScope();
            using var off = no_grad();
            var inputs = ctx.get_saved_variables();
            Tensor? NaN(bool wanted, int i) => wanted ? full_like(inputs[i], double.NaN).DetachFromDisposeScope() : null;
            return [NaN(geometry.WantsInput, 0), NaN(geometry.WantsWeight, 1)];
        }
#pragma warning disable CA1031
        catch (Exception)
#pragma warning restore CA1031
        {
            // Not even that: no gradient at all, rather than an end of the process.
            return [null, null];
        }
    }
}
