using static TorchSharp.torch;

namespace Capsules;

/// <summary>The node of the autograd graph around <see cref="WinogradConvolution"/>.</summary>
/// <remarks>Arguments: input (B, C, H, W), weight (O, C, kh, kw), geometry.</remarks>
internal sealed class WinogradFunction : autograd.SingleTensorFunction<WinogradFunction>
{
    private const string Saved = "geometry";

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
        return GuardedBackward.Run(
            ctx, grad_output, [geometry.WantsInput, geometry.WantsWeight], "a Winograd convolution",
            (saved, upstream) => Gradients(saved[0], saved[1], upstream, geometry));
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
}
