using static TorchSharp.torch;

namespace Capsules;

/// <summary>A convolution whose gradients are products of unfolded patches, with its bias and, if wanted, ReLU.</summary>
/// <remarks>
/// <para>Arguments: input (B, C, H, W), weight (O, C, kh, kw), bias (O) where there is one, geometry.</para>
/// <para>Forward torch's convolution is faster, and is taken. Backward, patches are columns (C kh kw, h w) of a matrix with a row of
/// ones below them, so that one product gives the gradients of weight and bias. A few images at a time: patches are never whole, and
/// an output is rectified, or a gradient masked, while it is in the cache. The graph keeps the input and the output alone.</para>
/// <para>Gradients are computed in float32 at least, and rounded once; so is the output where the processor is slow at its dtype.</para>
/// </remarks>
internal sealed class UnfoldFunction : autograd.SingleTensorFunction<UnfoldFunction>
{
    private const string Geometry = "geometry";

    /// <summary>Elements of output, and backward of patches too, at a time.</summary>
    private const long ForwardElements = 1 << 20, BackwardElements = 1 << 19;

    public override string Name => "CapsulesUnfoldedConvolution";

    /// <summary>Convolves.</summary>
    public static Tensor Convolve(Tensor input, Tensor weight, Tensor? bias, ConvolutionGeometry geometry)
    {
        using var scope = NewDisposeScope();
        var output = is_grad_enabled() && (input.requires_grad || weight.requires_grad || bias is { requires_grad: true })
            ? apply([.. ((Tensor?[])[input, weight, bias]).OfType<Tensor>().Select(GuardedBackward.Argument), geometry])
            : Forward(input, weight, bias, geometry);
        return output.MoveToOuterDisposeScope();
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (tensors, geometry) = (vars.OfType<Tensor>().ToList(), (ConvolutionGeometry)vars[^1]);
        var output = Forward(tensors[0], tensors[1], tensors.ElementAtOrDefault(2), geometry);
        ctx.save_data(Geometry, geometry with { Wanted = tensors.ConvertAll(tensor => tensor.requires_grad) });
        ctx.save_for_backward(geometry.Relu ? [.. tensors, output] : tensors);
        ctx.set_materialize_grads(false);
        return output;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var geometry = (ConvolutionGeometry)ctx.get_data(Geometry);
        return GuardedBackward.Run(ctx, grad_output, geometry.Wanted, "a convolution of unfolded patches", (saved, upstream) =>
        {
            var bias = geometry.Wanted.Count == 3 ? saved[2] : null;
            return is_grad_enabled()
                ? geometry.ReferenceGradients(saved[0], saved[1], bias, upstream)
                : Gradients(saved[0], saved[1], bias, geometry.Relu ? saved[^1] : null, upstream, geometry);
        });
    }

    private static Tensor Forward(Tensor input, Tensor weight, Tensor? bias, ConvolutionGeometry geometry)
    {
        using var scope = NewDisposeScope();
        using var off = no_grad();
        var (h, w) = geometry.OutSize(input, weight);
        var output = LargeBlocks.Empty([input.size(0), weight.size(0), h, w], input.dtype, input.device);
        var dtype = MixedPrecision.Computed(input);
        (weight, bias) = (weight.to_type(dtype), bias?.to_type(dtype));
        foreach (var (first, count) in Pieces(input, h * w * weight.size(0), ForwardElements))
        {
            using var inner = NewDisposeScope();
            output.narrow(0, first, count).copy_(geometry.Reference(input.narrow(0, first, count), weight, bias));
        }

        return output.MoveToOuterDisposeScope();
    }

    private static List<Tensor?> Gradients(
        Tensor input, Tensor weight, Tensor? bias, Tensor? output, Tensor upstream, ConvolutionGeometry geometry)
    {
        var wanted = geometry.Wanted;
        var dtype = Functional.Wide(input.dtype);      // sums over images and over patches that overlap would round in bfloat16 at every term
        using var zero = 0.ToScalar();
        var rows = weight.flatten(1).t().to_type(dtype);
        var rowGradient = zeros([weight.size(0), rows.size(0) + (bias is null ? 0 : 1)], dtype, weight.device);
        var inputGradient = wanted[0] ? empty_like(input) : null;
        var patches = weight.numel() / Math.Max(1, weight.size(0));
        foreach (var (first, count) in Pieces(input, upstream.size(2) * upstream.size(3) * (weight.size(0) + patches), BackwardElements))
        {
            using var inner = NewDisposeScope();
            var gradient = upstream.narrow(0, first, count).to_type(dtype);
            gradient = output is null ? gradient : gradient * output.narrow(0, first, count).gt(zero);
            gradient = gradient.flatten(2);      // (images, O, h w)
            if (wanted[1] || wanted is [_, _, true])
            {
                var columns = Columns(input.narrow(0, first, count).to_type(dtype), weight, bias, geometry);
                Arithmetic.Accumulate(rowGradient, gradient.bmm(columns.transpose(1, 2)).sum(dim: 0));
            }

            if (inputGradient is not null)
            {
                var columns = rows.unsqueeze(0).expand(count, -1, -1).bmm(gradient);
                inputGradient.narrow(0, first, count).copy_(geometry.Fold(columns, input, weight));
            }
        }

        var weightGradient = wanted[1] ? rowGradient.narrow(1, 0, rows.size(0)).reshape(weight.shape).to_type(weight.dtype) : null;
        List<Tensor?> results = [inputGradient, weightGradient];
        if (bias is not null)
        {
            results.Add(wanted[2] ? rowGradient.select(1, rows.size(0)).contiguous().to_type(bias.dtype) : null);
        }

        return results;
    }

    private static Tensor Columns(Tensor input, Tensor weight, Tensor? bias, ConvolutionGeometry geometry)
    {
        var columns = geometry.Unfold(input, weight);
        return bias is null ? columns : nn.functional.pad(columns, [0, 0, 0, 1], value: 1);
    }

    private static IEnumerable<(long First, long Count)> Pieces(Tensor input, long elementsOfOne, long elements)
    {
        var count = Math.Max(1, elements / Math.Max(1, elementsOfOne));
        for (var first = 0L; first < input.size(0); first += count)
        {
            yield return (first, Math.Min(count, input.size(0) - first));
        }
    }
}
