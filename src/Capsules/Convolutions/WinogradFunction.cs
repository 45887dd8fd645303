using static TorchSharp.torch;

namespace Capsules;

/// <summary>The node of the autograd graph around <see cref="WinogradConvolution"/>.</summary>
/// <remarks>Arguments: input (B, C, H, W) and weight (O, C, kh, kw), both float32 or both bfloat16, geometry.</remarks>
internal sealed class WinogradFunction : autograd.SingleTensorFunction<WinogradFunction>
{
    private const string Geometry = "geometry";

    public override string Name => "CapsulesWinogradConvolution";

    /// <summary>Convolves without bias, to float32.</summary>
    public static Tensor Convolve(Tensor input, Tensor weight, ConvolutionGeometry geometry)
    {
        using var scope = NewDisposeScope();
        var output = is_grad_enabled() && (input.requires_grad || weight.requires_grad)
            ? apply(GuardedBackward.Argument(input), GuardedBackward.Argument(weight), geometry)
            : Forward(input, weight, geometry);
        return output.MoveToOuterDisposeScope();
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (input, weight, geometry) = ((Tensor)vars[0], (Tensor)vars[1], (ConvolutionGeometry)vars[2]);
        ctx.save_for_backward([input, weight]);
        ctx.save_data(Geometry, geometry with { Wanted = [input.requires_grad, weight.requires_grad] });

        // Zeros for an absent gradient would be made from a tensor that the caller's dispose scope has already freed.
        ctx.set_materialize_grads(false);
        return Forward(input, weight, geometry);
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var geometry = (ConvolutionGeometry)ctx.get_data(Geometry);
        return GuardedBackward.Run(ctx, grad_output, geometry.Wanted, "a Winograd convolution", (saved, upstream) =>
        {
            if (is_grad_enabled())
            {
                return geometry.ReferenceGradients(saved[0], saved[1], null, upstream);
            }

            using var convolution = new WinogradConvolution(saved[0].shape, saved[1].shape, geometry.Stride, geometry.Padding);
            var (input, weight) = convolution.Backward(saved[0].contiguous(), saved[1].contiguous(), upstream.contiguous(), geometry.Wanted[0], geometry.Wanted[1]);
            return [input, weight];
        });
    }

    private static Tensor Forward(Tensor input, Tensor weight, ConvolutionGeometry geometry)
    {
        using var scope = NewDisposeScope();
        using var off = no_grad();
        using var convolution = new WinogradConvolution(input.shape, weight.shape, geometry.Stride, geometry.Padding);
        return convolution.Forward(input.contiguous(), weight.contiguous()).MoveToOuterDisposeScope();
    }
}
