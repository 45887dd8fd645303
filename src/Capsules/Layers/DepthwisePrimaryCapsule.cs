using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>
/// Primary capsules of Efficient-CapsNet: a depthwise convolution, in which every channel has a kernel of its own and none mixes
/// with another, whose channels are grouped into capsules and squashed by <see cref="Functional.exponential_squash"/>.
/// </summary>
/// <remarks>
/// <para>u = exponential_squash(weight * x + bias). Feature maps (B, C, H, W) to capsules (B, N, D) with N = C / D * h * w. With a
/// kernel as large as the feature maps, as in the paper, h = w = 1 and a capsule sees all of them. Capsules are ordered type first,
/// then row, then column, as those of <see cref="PrimaryCapsule"/>; the D entries of one are D neighbouring channels.</para>
/// <para>A kernel of k x k costs C (k^2 + 1) parameters where <see cref="PrimaryCapsule"/> from C to C channels has C (C k^2 + 1).</para>
/// <para>State dict: <c>weight</c> (C, 1, kh, kw), <c>bias</c> (C) where there is one.</para>
/// <para>Mazzia, Salvetti, Chiaberge, "Efficient-CapsNet: Capsule Network with Self-Attention Routing", 2021.
/// https://arxiv.org/abs/2101.12491</para>
/// </remarks>
public sealed class DepthwisePrimaryCapsule : nn.Module<Tensor, Tensor>
{
    private Parameter weight;

    private Parameter? bias;

    private readonly (long H, long W) _kernel;
    private readonly ConvolutionGeometry _geometry;

    /// <summary>Makes primary capsules with a square kernel.</summary>
    /// <param name="channels">C, the channels of the input, a multiple of <paramref name="capsuleDim"/>.</param>
    /// <param name="capsuleDim">D, the dimension of a capsule, at least 1. Default: 8.</param>
    /// <param name="kernelSize">The kernel's height and width, at least 1. Default: 9, as for MNIST.</param>
    /// <param name="stride">The stride, at least 1. Default: 1.</param>
    /// <param name="bias">Whether there is a bias, zero at first. Default: true.</param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of its range.</exception>
    /// <exception cref="ArgumentException">The channels are no multiple of the dimension, or the dtype is not floating-point.</exception>
    public DepthwisePrimaryCapsule(
        long channels,
        long capsuleDim = 8,
        long kernelSize = 9,
        long stride = 1,
        bool bias = true,
        Device? device = null,
        ScalarType? dtype = null)
        : this(channels, capsuleDim, (kernelSize, kernelSize), (stride, stride), bias, device, dtype)
    {
    }

    /// <summary>Makes primary capsules with a rectangular kernel; sizes are (height, width).</summary>
    /// <remarks><para>
    /// Weights are uniform in +-sqrt(6 / (kh kw (1 + C))), which is what the authors' code draws (Keras's glorot_uniform, whose
    /// fans do not know of the groups), and the bias is zero.
    /// </para></remarks>
    /// <param name="channels">C, the channels of the input, a multiple of <paramref name="capsuleDim"/>.</param>
    /// <param name="capsuleDim">D, the dimension of a capsule, at least 1.</param>
    /// <param name="kernelSize">The kernel's size, at least 1.</param>
    /// <param name="stride">The stride, at least 1.</param>
    /// <param name="bias">Whether there is a bias, zero at first. Default: true.</param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of its range.</exception>
    /// <exception cref="ArgumentException">The channels are no multiple of the dimension, or the dtype is not floating-point.</exception>
    public DepthwisePrimaryCapsule(
        long channels,
        long capsuleDim,
        (long Height, long Width) kernelSize,
        (long Height, long Width) stride,
        bool bias = true,
        Device? device = null,
        ScalarType? dtype = null)
        : base(nameof(DepthwisePrimaryCapsule))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(channels, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(capsuleDim, 1);
        _geometry = new ConvolutionGeometry(stride, (0, 0), (1, 1));
        _geometry.Check(kernelSize);
        if (channels % capsuleDim != 0)
        {
            throw new ArgumentException(
                $"DepthwisePrimaryCapsule expected channels to be a multiple of capsuleDim = {capsuleDim}, but got {channels}. " +
                "Every channel becomes one entry of a capsule.", nameof(channels));
        }

        ShapeGuard.ParameterDtype(nameof(DepthwisePrimaryCapsule), dtype);
        (Channels, CapsuleDim, _kernel) = (channels, capsuleDim, kernelSize);
        var bound = Math.Sqrt(6.0 / (_kernel.H * _kernel.W * (1 + channels)));
        weight = Initialize.Parameter([channels, 1, _kernel.H, _kernel.W], device, dtype, w => nn.init.uniform_(w, -bound, bound));
        this.bias = bias ? Initialize.Parameter([channels], device, dtype, b => nn.init.zeros_(b)) : null;
        RegisterComponents();
        if (device is not null)
        {
            (_deviceType, _deviceIndex) = (device.type, device.index);
        }
    }

    /// <summary>C, the channels of the input.</summary>
    public long Channels { get; }

    /// <summary>D, the dimension of a capsule.</summary>
    public long CapsuleDim { get; }

    /// <summary>The convolution's weight (C, 1, kh, kw).</summary>
    public Parameter Weight => weight;

    /// <summary>Its bias (C), or null.</summary>
    public Parameter? Bias => bias;

    /// <summary>The kernel's size.</summary>
    public (long Height, long Width) KernelSize => _kernel;

    /// <summary>The stride.</summary>
    public (long Height, long Width) Stride => _geometry.Stride;

    /// <summary>The shape of the capsules that feature maps of a given size become, for the next layer's sizes.</summary>
    /// <param name="height">H, the input's height.</param>
    /// <param name="width">W, the input's width.</param>
    /// <returns>N, the number of capsules, and D, their dimension.</returns>
    /// <exception cref="ArgumentException">The input is smaller than the kernel.</exception>
    public (long Capsules, long Dim) OutputShape(long height, long width)
    {
        var (h, w) = _geometry.OutSize(nameof(DepthwisePrimaryCapsule), (height, width), _kernel, nameof(height));
        return (Channels / CapsuleDim * h * w, CapsuleDim);
    }

    /// <summary>Turns feature maps into capsules.</summary>
    /// <param name="input">Feature maps (B, C, H, W), of the dtype and on the device of the weight.</param>
    /// <returns>Capsules (B, N, D); each length is in [0, 1).</returns>
    /// <exception cref="ArgumentException">The shape, dtype or device does not fit, or the input is smaller than the kernel.</exception>
    public override Tensor forward(Tensor input)
    {
        ShapeGuard.Shape(nameof(DepthwisePrimaryCapsule), input, nameof(input), "B, C, H, W",
            [ShapeGuard.Any, Channels, ShapeGuard.Any, ShapeGuard.Any],
            shape => shape switch
            {
                [_, _, _] => "Did you mean input.unsqueeze(0), for one sample?",
                [_, _, _, var last] when last == Channels => "Did you mean input.permute(0, 3, 1, 2)?",
                _ => null,
            });
        ShapeGuard.Like(nameof(DepthwisePrimaryCapsule), input, nameof(input), weight, nameof(weight));
        var (h, w) = _geometry.OutSize(nameof(DepthwisePrimaryCapsule), (input.size(2), input.size(3)), _kernel, nameof(input));

        using var scope = NewDisposeScope();
        var x = _geometry.Reference(input, weight, bias, groups: Channels).to_type(input.dtype);
        var types = Channels / CapsuleDim;
        x = x.reshape(input.size(0), types, CapsuleDim, h * w).transpose(2, 3).reshape(input.size(0), types * h * w, CapsuleDim);
        return Functional.exponential_squash(x).MoveToOuterDisposeScope();
    }
}
