using static TorchSharp.torch;

namespace Capsules;

/// <summary>The choice of a convolution's kernel, and its compute dtype.</summary>
internal static class Convolution
{
    // Where the transforms of the filter, which do not depend on the batch, have paid for themselves, in tiles of all images; measured on
    // 256 channels, 9 x 9, stride 2 (docs/training-speed.md). The gradients gain more than the forward pass.
    private const long TilesForForward = 96, TilesForTraining = 48;

    private const long FewChannels = 4, ManyChannels = 32;

    // Of an image with its padding. The transforms' memory grows with the image, to 2 GB per thread here, and their indices are ints.
    private const long MostWinogradPixels = 1 << 22;

    /// <summary>Convolves arguments that fit each other.</summary>
    /// <param name="input">(B, C, H, W), in the weight's dtype or the compute dtype.</param>
    /// <param name="weight">(O, C, kh, kw).</param>
    /// <param name="bias">(O), or null.</param>
    /// <param name="geometry">Stride, padding, dilation.</param>
    /// <param name="kernel">As the caller wants it.</param>
    /// <param name="compute">The dtype of the operands.</param>
    /// <param name="result">The dtype of the result; null for the input's.</param>
    public static Tensor Apply(
        Tensor input, Tensor weight, Tensor? bias, ConvolutionGeometry geometry, ConvolutionKernel kernel, ScalarType compute, ScalarType? result = null)
    {
        using var scope = NewDisposeScope();
        return Run(input.to_type(compute), weight.to_type(compute), bias, geometry, kernel)
            .to_type(compute).to_type(result ?? input.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>Why the Winograd kernel cannot serve, or null when it can.</summary>
    public static string? WhyNotWinograd(Tensor input, Tensor weight, ConvolutionGeometry geometry)
    {
        if (input.device_type != DeviceType.CPU || input.dtype is not (ScalarType.Float32 or ScalarType.BFloat16))
        {
            return $"The Winograd kernel serves float32 and bfloat16 on the CPU, but the operands are {input.dtype} on {input.device}.";
        }

        if (geometry.Dilation != (1, 1))
        {
            return $"The Winograd kernel serves dilation 1 alone, but it is {geometry.Dilation.H} x {geometry.Dilation.W}.";
        }

        if (!WinogradAxis.IsPossible(weight.size(2), geometry.Stride.H) || !WinogradAxis.IsPossible(weight.size(3), geometry.Stride.W))
        {
            return $"The Winograd kernel serves at most {WinogradAxis.MostTaps} taps per phase along an axis and no stride above the kernel's size, " +
                $"but the kernel is {weight.size(2)} x {weight.size(3)} with stride {geometry.Stride.H} x {geometry.Stride.W}.";
        }

        if ((input.size(2) + 2 * geometry.Padding.H) * (input.size(3) + 2 * geometry.Padding.W) > MostWinogradPixels)
        {
            return $"The Winograd kernel serves images of at most {MostWinogradPixels} pixels with their padding, " +
                $"but they are {input.size(2)} x {input.size(3)} with padding {geometry.Padding.H} x {geometry.Padding.W}.";
        }

        return input.numel() == 0 || weight.numel() == 0 ? "The Winograd kernel needs at least one element in every dimension." : null;
    }

    private static Tensor Run(Tensor input, Tensor weight, Tensor? bias, ConvolutionGeometry geometry, ConvolutionKernel kernel)
    {
        if (kernel == ConvolutionKernel.Automatic)
        {
            kernel = Choose(input, weight, geometry);
        }

        switch (kernel)
        {
            case ConvolutionKernel.Winograd:
                if (WhyNotWinograd(input, weight, geometry) is { } reason)
                {
                    throw new ArgumentException($"{reason} Use ConvolutionKernel.Automatic.", nameof(kernel));
                }

                var output = WinogradFunction.Convolve(input, weight, geometry with { Relu = false });
                output = bias is null ? output : Arithmetic.Plus(output, bias.to_type(output.dtype).view(1, -1, 1, 1));
                return geometry.Relu ? output.relu_() : output;
            case ConvolutionKernel.Unfold:
                return UnfoldFunction.Convolve(input, weight, bias, geometry);
            default:
                return geometry.Reference(input, weight, bias);
        }
    }

    private static ConvolutionKernel Choose(Tensor input, Tensor weight, ConvolutionGeometry geometry)
    {
        if (input.device_type != DeviceType.CPU || MixedPrecision.Computed(input) != ScalarType.Float32 || input.numel() == 0)
        {
            return ConvolutionKernel.Reference;
        }

        var training = is_grad_enabled() && (weight.requires_grad || input.requires_grad);
        if (weight.size(1) <= FewChannels && weight.size(2) * weight.size(3) > 1 && (training || input.dtype != ScalarType.Float32))
        {
            return ConvolutionKernel.Unfold;
        }

        if (weight.size(1) < ManyChannels || weight.size(0) < ManyChannels || WhyNotWinograd(input, weight, geometry) is not null)
        {
            return ConvolutionKernel.Reference;
        }

        var (h, w) = geometry.OutSize(input, weight);
        var rows = WinogradAxis.Saving(h, weight.size(2), geometry.Stride.H);
        var columns = WinogradAxis.Saving(w, weight.size(3), geometry.Stride.W);
        return rows.Share * columns.Share <= 0.5 && input.size(0) * rows.Tiles * columns.Tiles >= (training ? TilesForTraining : TilesForForward)
            ? ConvolutionKernel.Winograd
            : ConvolutionKernel.Reference;
    }
}
