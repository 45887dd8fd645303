using static TorchSharp.torch;

namespace Capsules;

/// <summary>How a kernel moves over an image; sizes are (height, width).</summary>
/// <param name="Stride">At least 1.</param>
/// <param name="Padding">Zeros on every side.</param>
/// <param name="Dilation">The distance between kernel elements.</param>
/// <param name="Relu">Whether the output is rectified.</param>
internal sealed record ConvolutionGeometry((long H, long W) Stride, (long H, long W) Padding, (long H, long W) Dilation, bool Relu = false)
{
    /// <summary>Which gradients a call in the autograd graph is to give, of input, weight and bias.</summary>
    public IReadOnlyList<bool> Wanted { get; init; } = [];

    /// <summary>Throws unless all sizes, the kernel's too, are in their ranges.</summary>
    public void Check((long H, long W) kernel, string kernelName = "kernelSize")
    {
        foreach (var ((h, w), least, name) in (((long, long), long, string)[])
            [(kernel, 1, kernelName), (Stride, 1, "stride"), (Padding, 0, "padding"), (Dilation, 1, "dilation")])
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(h, least, name);
            ArgumentOutOfRangeException.ThrowIfLessThan(w, least, name);
        }
    }

    /// <summary>The output's height and width.</summary>
    /// <exception cref="ArgumentException">The image, whose argument is named, is empty or smaller than the kernel.</exception>
    public (long H, long W) OutSize(string owner, (long H, long W) image, (long H, long W) kernel, string argument)
    {
        var size = OutSize(image, kernel);
        if (image.H < 1 || image.W < 1 || size.H < 1 || size.W < 1)
        {
            var span = Span(kernel);
            throw new ArgumentException(
                $"{owner}'s kernel {kernel.H} x {kernel.W} with dilation {Dilation.H} x {Dilation.W} spans {span.H} x {span.W} pixels, " +
                $"but the input is {image.H} x {image.W} with padding {Padding.H} x {Padding.W}. Use larger images, a smaller kernel or more padding.",
                argument);
        }

        return size;
    }

    /// <summary>The output's height and width; below 1 where the image is smaller than the kernel.</summary>
    public (long H, long W) OutSize(Tensor input, Tensor weight) =>
        OutSize((input.size(2), input.size(3)), (weight.size(2), weight.size(3)));

    /// <summary>The output's height and width; below 1 where the image is smaller than the kernel.</summary>
    public (long H, long W) OutSize((long H, long W) image, (long H, long W) kernel) => (
        OutSize(image.H, kernel.H, Stride.H, Padding.H, Dilation.H), OutSize(image.W, kernel.W, Stride.W, Padding.W, Dilation.W));

    /// <summary>The pixels from a kernel's first element to its last.</summary>
    public (long H, long W) Span((long H, long W) kernel) => (Span(kernel.H, Dilation.H), Span(kernel.W, Dilation.W));

    /// <summary>torch's own convolution, in the dtype in which the input's is computed, which the output has.</summary>
    public Tensor Reference(Tensor input, Tensor weight, Tensor? bias, long groups = 1)
    {
        var dtype = MixedPrecision.Computed(input);
        var (x, padding) = (input.to_type(dtype), Padding);
        if (padding.H >= Span(weight.size(2), Dilation.H) || padding.W >= Span(weight.size(3), Dilation.W))
        {
            // Where a kernel saw padding alone, libtorch's convolution has ended the process (libtorch 2.10, oneDNN 3.7).
            (x, padding) = (nn.functional.pad(x, [padding.W, padding.W, padding.H, padding.H]), (0, 0));
        }

        var output = nn.functional.conv2d(
            x, weight.to_type(dtype), bias?.to_type(dtype), [Stride.H, Stride.W], [padding.H, padding.W], [Dilation.H, Dilation.W], groups);
        return Relu ? output.relu_() : output;
    }

    /// <summary>Gradients that can be differentiated themselves (create_graph): torch's convolution gives them.</summary>
    public List<Tensor?> ReferenceGradients(Tensor input, Tensor weight, Tensor? bias, Tensor upstream)
    {
        List<Tensor> arguments = bias is null ? [input, weight] : [input, weight, bias];
        List<Tensor> wanted = [.. arguments.Where((_, i) => Wanted[i])];
        var output = Reference(input, weight, bias);
        var gradients = autograd.grad([output], wanted, [upstream.to_type(output.dtype)], retain_graph: true, create_graph: true);
        var next = 0;
        return [.. arguments.Select((_, i) => Wanted[i] ? gradients[next++] : null)];
    }

    /// <summary>Patches as columns (B, C kh kw, h w).</summary>
    public Tensor Unfold(Tensor input, Tensor weight) => nn.functional.unfold(
        input, (weight.size(2), weight.size(3)), (Dilation.H, Dilation.W), (Padding.H, Padding.W), (Stride.H, Stride.W));

    /// <summary>The sum of what columns put on each pixel: the transpose of <see cref="Unfold"/>.</summary>
    public Tensor Fold(Tensor columns, Tensor input, Tensor weight) => nn.functional.fold(
        columns, (input.size(2), input.size(3)), (weight.size(2), weight.size(3)), (Dilation.H, Dilation.W), (Padding.H, Padding.W), (Stride.H, Stride.W));

    private static long OutSize(long size, long kernel, long stride, long padding, long dilation)
    {
        var free = size + 2 * padding - Span(kernel, dilation);
        return free < 0 ? 0 : free / stride + 1;
    }

    private static long Span(long kernel, long dilation) => dilation * (kernel - 1) + 1;
}
