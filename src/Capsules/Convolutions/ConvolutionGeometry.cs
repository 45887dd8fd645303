using static TorchSharp.torch;

namespace Capsules;

/// <summary>How a kernel moves over an image; sizes are (height, width).</summary>
internal sealed record ConvolutionGeometry((long H, long W) Stride, (long H, long W) Padding, (long H, long W) Dilation)
{
    /// <summary>Which gradients a call in the autograd graph is to give.</summary>
    public bool WantsInput { get; init; }

    /// <inheritdoc cref="WantsInput"/>
    public bool WantsWeight { get; init; }

    /// <summary>The output's height and width; below 1 where the image is smaller than the kernel.</summary>
    public (long H, long W) OutSize(Tensor input, Tensor weight) => (
        OutSize(input.size(2), weight.size(2), Stride.H, Padding.H, Dilation.H), OutSize(input.size(3), weight.size(3), Stride.W, Padding.W, Dilation.W));

    /// <summary>torch's own convolution.</summary>
    public Tensor Reference(Tensor input, Tensor weight, Tensor? bias) =>
        nn.functional.conv2d(input, weight, bias, [Stride.H, Stride.W], [Padding.H, Padding.W], [Dilation.H, Dilation.W]);

    /// <summary>Patches as columns, then one product. Bias and products in one: a row of ones stands below the patches.</summary>
    public Tensor Unfold(Tensor input, Tensor weight, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        var (h, w) = OutSize(input, weight);
        var (batch, channels) = (input.size(0), weight.size(0));
        var columns = nn.functional.unfold(
            input, (weight.size(2), weight.size(3)), (Dilation.H, Dilation.W), (Padding.H, Padding.W), (Stride.H, Stride.W));      // (B, C kh kw, h w)
        var rows = weight.flatten(1);
        if (bias is not null)
        {
            columns = nn.functional.pad(columns, [0, 0, 0, 1], value: 1);
            rows = cat([rows, bias.unsqueeze(1)], 1);
        }

        return rows.unsqueeze(0).expand(batch, -1, -1).bmm(columns).view(batch, channels, h, w).MoveToOuterDisposeScope();
    }

    private static long OutSize(long size, long kernel, long stride, long padding, long dilation)
    {
        var free = size + 2 * padding - dilation * (kernel - 1) - 1;
        return free < 0 ? 0 : free / stride + 1;
    }
}
