using static TorchSharp.torch;

namespace Capsules;

public static partial class Functional
{
    /// <summary>
    /// A 2-D convolution (cross-correlation) by the fastest kernel for its sizes, in a compute dtype of its own if wanted.
    /// </summary>
    /// <remarks>
    /// <para>output[b, o, y, x] = bias[o] + sum over c, i, j of weight[o, c, i, j] input[b, c, s y + d i - p, s x + d j - p], as torch's.
    /// <see cref="ConvolutionKernel.Automatic"/> takes, on the CPU in float32, <see cref="ConvolutionKernel.Winograd"/> where it
    /// saves half of the products and the batch is large enough to pay for its transforms, <see cref="ConvolutionKernel.Unfold"/>
    /// for up to 4 input channels in training, and torch's own convolution otherwise.</para>
    /// <para>Mixed precision: with <paramref name="computeDtype"/> bfloat16 the operands are rounded to it, products accumulate in
    /// float32, and the weight and its gradient keep their dtype, so that an optimiser works on float32 master weights. A CPU
    /// that multiplies bfloat16 more slowly than float32 (<see cref="MixedPrecision.IsFast"/>) computes the rounded operands in float32,
    /// which gives bfloat16's results at float32's speed and half the memory; torch's own bfloat16 convolution can be 17 times slower there.</para>
    /// </remarks>
    /// <param name="input">Images (B, C, H, W), of the dtype of the weight or of <paramref name="computeDtype"/>.</param>
    /// <param name="weight">(O, C, kh, kw), floating-point.</param>
    /// <param name="bias">(O), like the weight. Default: none.</param>
    /// <param name="stride">(height, width), at least 1. Default: 1.</param>
    /// <param name="padding">Zeros on every side, (height, width), at least 0. Default: 0.</param>
    /// <param name="dilation">The distance between kernel elements, (height, width), at least 1. Default: 1.</param>
    /// <param name="relu">Whether the output is rectified, max(0, x), in the same pass. Default: false.</param>
    /// <param name="kernel">How it is computed. Default: by the sizes.</param>
    /// <param name="computeDtype">The dtype of the operands in the convolution. Default: that of the weight.</param>
    /// <returns>(B, O, h, w), in the dtype of <paramref name="input"/>.</returns>
    /// <exception cref="ArgumentException">
    /// A shape, dtype or device does not fit, the image is smaller than the kernel, or the kernel asked for cannot serve.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of its range.</exception>
    public static Tensor conv2d(
        Tensor input,
        Tensor weight,
        Tensor? bias = null,
        (long Height, long Width)? stride = null,
        (long Height, long Width)? padding = null,
        (long Height, long Width)? dilation = null,
        bool relu = false,
        ConvolutionKernel kernel = ConvolutionKernel.Automatic,
        ScalarType? computeDtype = null)
    {
        var geometry = new ConvolutionGeometry(stride ?? (1, 1), padding ?? (0, 0), dilation ?? (1, 1), relu);
        CheckConv2d(input, weight, bias, geometry, computeDtype);
        return Convolution.Apply(input, weight, bias, geometry, kernel, computeDtype ?? weight.dtype);
    }

    private static void CheckConv2d(Tensor input, Tensor weight, Tensor? bias, ConvolutionGeometry geometry, ScalarType? computeDtype)
    {
        const string Name = nameof(conv2d);
        ShapeGuard.Shape(Name, weight, nameof(weight), "O, C, kh, kw", [ShapeGuard.Any, ShapeGuard.Any, ShapeGuard.Any, ShapeGuard.Any]);
        ShapeGuard.Floating(Name, weight, nameof(weight));
        var kernel = (weight.size(2), weight.size(3));
        geometry.Check(kernel, nameof(weight));
        ShapeGuard.Shape(Name, input, nameof(input), "B, C, H, W", [ShapeGuard.Any, weight.size(1), ShapeGuard.Any, ShapeGuard.Any],
            shape => shape.Length == 3 ? "Did you mean input.unsqueeze(0), for one image, or input.unsqueeze(1), for one channel?" : null);
        MixedPrecision.Check(Name, computeDtype);
        MixedPrecision.CheckInput(Name, input, weight, computeDtype);
        if (bias is not null)
        {
            ShapeGuard.Shape(Name, bias, nameof(bias), "O", [weight.size(0)]);
            ShapeGuard.Like(Name, bias, nameof(bias), weight, nameof(weight));
        }

        geometry.OutSize(Name, (input.size(2), input.size(3)), kernel, nameof(input));
    }
}
