using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>Primary capsules: a convolution whose channels are grouped into capsules and squashed.</summary>
/// <remarks>
/// <para>u = squash(activation(scale * (weight * x) + bias)). Image (B, C, H, W) to capsules (B, N, D) with N = types * h * w.
/// Capsules are ordered type first, then row, then column; the D entries of one capsule are D neighbouring channels, those of
/// its type, at one position. Sequences (B, C, L): a kernel of height 1, on input.unsqueeze(2).</para>
/// <para>State dict: <c>weight</c> (T * D, C, kh, kw), <c>bias</c> (T * D) where there is one, and under <c>activation.</c> what
/// the activation has of its own.</para>
/// <para>Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, section 4: "a convolution layer with Eq. 1 as its
/// block non-linearity". The authors' code routes from one lower capsule to all types with one iteration, which
/// scales the convolution by 1 / types before the bias; <see cref="Preset.OfficialCode"/> does too.</para>
/// </remarks>
public sealed class PrimaryCapsule : nn.Module<Tensor, Tensor>
{
    private Parameter weight;

    private Parameter? bias;

    private readonly nn.Module<Tensor, Tensor>? activation;

    private readonly double _scale;
    private readonly (long H, long W) _kernel;
    private readonly ConvolutionGeometry _geometry;

    /// <summary>Makes primary capsules with a square kernel.</summary>
    /// <param name="inChannels">C, the channels of the input, at least 1.</param>
    /// <param name="capsuleTypes">T, the capsule types, at least 1. Default: 32.</param>
    /// <param name="capsuleDim">D, the dimension of a capsule, at least 1. Default: 8.</param>
    /// <param name="kernelSize">The kernel's height and width, at least 1. Default: 9.</param>
    /// <param name="stride">The stride, at least 1. Default: 2.</param>
    /// <param name="padding">Zeros on every side, at least 0. Default: 0.</param>
    /// <param name="dilation">The distance between kernel elements, at least 1. Default: 1.</param>
    /// <param name="bias">Whether there is a bias. Default: true.</param>
    /// <param name="activation">
    /// A module that keeps the shape, on the convolution's output before squash. Default: none, as in the paper; some ports use ReLU.
    /// </param>
    /// <param name="preset">
    /// <see cref="Preset.Paper"/> (default): weights and bias as PyTorch's Conv2d draws them (Kaiming uniform, a = sqrt(5)),
    /// since the paper gives none. <see cref="Preset.OfficialCode"/>: truncated normal of standard deviation 0.1, bias 0.1,
    /// scale 1 / types.
    /// </param>
    /// <param name="computeDtype">
    /// The dtype of the convolution's operands, as bfloat16 over float32 weights; bias, activation and squash keep the weight's.
    /// Default: the weight's dtype. See <see cref="Functional.conv2d"/>.
    /// </param>
    /// <param name="kernel">How the convolution is computed. Default: by the sizes.</param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of its range.</exception>
    /// <exception cref="ArgumentException">The dtype is not floating-point.</exception>
    public PrimaryCapsule(
        long inChannels,
        long capsuleTypes = 32,
        long capsuleDim = 8,
        long kernelSize = 9,
        long stride = 2,
        long padding = 0,
        long dilation = 1,
        bool bias = true,
        nn.Module<Tensor, Tensor>? activation = null,
        Preset preset = Preset.Paper,
        ScalarType? computeDtype = null,
        ConvolutionKernel kernel = ConvolutionKernel.Automatic,
        Device? device = null,
        ScalarType? dtype = null)
        : this(inChannels, capsuleTypes, capsuleDim, (kernelSize, kernelSize), (stride, stride), (padding, padding), (dilation, dilation),
            bias, activation, preset, computeDtype, kernel, device, dtype)
    {
    }

    /// <summary>Makes primary capsules with a rectangular kernel; sizes are (height, width).</summary>
    /// <param name="inChannels">C, the channels of the input, at least 1.</param>
    /// <param name="capsuleTypes">T, the capsule types, at least 1.</param>
    /// <param name="capsuleDim">D, the dimension of a capsule, at least 1.</param>
    /// <param name="kernelSize">The kernel's size, at least 1.</param>
    /// <param name="stride">The stride, at least 1.</param>
    /// <param name="padding">Zeros on every side, at least 0.</param>
    /// <param name="dilation">The distance between kernel elements, at least 1.</param>
    /// <param name="bias">Whether there is a bias. Default: true.</param>
    /// <param name="activation">A module on the convolution's output before squash. Default: none.</param>
    /// <param name="preset">Initialisation and scale, as in the other constructor.</param>
    /// <param name="computeDtype">The dtype of the convolution's operands, as in the other constructor.</param>
    /// <param name="kernel">How the convolution is computed, as in the other constructor.</param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of its range.</exception>
    /// <exception cref="ArgumentException">The dtype is not floating-point.</exception>
    public PrimaryCapsule(
        long inChannels,
        long capsuleTypes,
        long capsuleDim,
        (long Height, long Width) kernelSize,
        (long Height, long Width) stride,
        (long Height, long Width) padding,
        (long Height, long Width) dilation,
        bool bias = true,
        nn.Module<Tensor, Tensor>? activation = null,
        Preset preset = Preset.Paper,
        ScalarType? computeDtype = null,
        ConvolutionKernel kernel = ConvolutionKernel.Automatic,
        Device? device = null,
        ScalarType? dtype = null)
        : base(nameof(PrimaryCapsule))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(inChannels, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(capsuleTypes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(capsuleDim, 1);
        _geometry = new ConvolutionGeometry(stride, padding, dilation);
        _geometry.Check(kernelSize);
        ShapeGuard.ParameterDtype(nameof(PrimaryCapsule), dtype);
        (InChannels, CapsuleTypes, CapsuleDim) = (inChannels, capsuleTypes, capsuleDim);
        MixedPrecision.Check(nameof(PrimaryCapsule), computeDtype);
        (_kernel, Kernel, ComputeDtype) = (kernelSize, kernel, computeDtype);
        var isOfficial = preset == Preset.OfficialCode;
        _scale = isOfficial ? 1.0 / capsuleTypes : 1.0;

        var channels = capsuleTypes * capsuleDim;
        var fanIn = inChannels * _kernel.H * _kernel.W;
        weight = Initialize.Parameter([channels, inChannels, _kernel.H, _kernel.W], device, dtype,
            isOfficial ? w => Initialize.TruncatedNormal(w, 0.1) : w => Initialize.Uniform(w, fanIn));
        this.bias = bias
            ? Initialize.Parameter([channels], device, dtype, isOfficial ? b => Initialize.Constant(b, 0.1) : b => Initialize.Uniform(b, fanIn))
            : null;
        this.activation = activation;
        RegisterComponents();
        if (device is not null)
        {
            (_deviceType, _deviceIndex) = (device.type, device.index);
        }
    }

    /// <summary>C, the channels of the input.</summary>
    public long InChannels { get; }

    /// <summary>T, the capsule types.</summary>
    public long CapsuleTypes { get; }

    /// <summary>D, the dimension of a capsule.</summary>
    public long CapsuleDim { get; }

    /// <summary>The convolution's weight (T * D, C, kh, kw).</summary>
    public Parameter Weight => weight;

    /// <summary>Its bias (T * D), or null.</summary>
    public Parameter? Bias => bias;

    /// <summary>The kernel's size.</summary>
    public (long Height, long Width) KernelSize => _kernel;

    /// <summary>The stride.</summary>
    public (long Height, long Width) Stride => _geometry.Stride;

    /// <summary>Zeros on every side.</summary>
    public (long Height, long Width) Padding => _geometry.Padding;

    /// <summary>The distance between kernel elements.</summary>
    public (long Height, long Width) Dilation => _geometry.Dilation;

    /// <summary>The factor of the convolution's output before the bias: 1, or 1 / T in the official code's preset.</summary>
    public double Scale => _scale;

    /// <summary>The module on the convolution's output before squash, or null.</summary>
    public nn.Module<Tensor, Tensor>? Activation => activation;

    /// <summary>How the convolution is computed.</summary>
    public ConvolutionKernel Kernel { get; }

    /// <summary>The dtype of the convolution's operands; null for the weight's.</summary>
    public ScalarType? ComputeDtype { get; }

    /// <summary>The shape of the capsules that an image of a given size becomes, for the next layer's sizes.</summary>
    /// <param name="height">H, the input's height.</param>
    /// <param name="width">W, the input's width.</param>
    /// <returns>N, the number of capsules, and D, their dimension.</returns>
    /// <exception cref="ArgumentException">The image is smaller than the kernel.</exception>
    public (long Capsules, long Dim) OutputShape(long height, long width)
    {
        var (h, w) = _geometry.OutSize(nameof(PrimaryCapsule), (height, width), _kernel, nameof(height));
        return (CapsuleTypes * h * w, CapsuleDim);
    }

    /// <summary>Turns images into capsules.</summary>
    /// <param name="input">Images or feature maps (B, C, H, W), of the weight's dtype or the compute dtype, on the weight's device.</param>
    /// <returns>Capsules (B, N, D) in the weight's dtype; each length is in [0, 1).</returns>
    /// <exception cref="ArgumentException">The shape, dtype or device does not fit, or the image is smaller than the kernel.</exception>
    public override Tensor forward(Tensor input)
    {
        ShapeGuard.Shape(nameof(PrimaryCapsule), input, nameof(input), "B, C, H, W",
            [ShapeGuard.Any, InChannels, ShapeGuard.Any, ShapeGuard.Any],
            shape => shape switch
            {
                [_, _, _] when _kernel.H == 1 => "Did you mean input.unsqueeze(2), for sequences, or input.unsqueeze(0), for one image?",
                [_, _, _] => "Did you mean input.unsqueeze(0), for one image, or input.unsqueeze(1), for one channel?",
                [_, _, _, var last] when last == InChannels => "Did you mean input.permute(0, 3, 1, 2)?",
                _ => null,
            });
        MixedPrecision.CheckInput(nameof(PrimaryCapsule), input, weight, ComputeDtype);
        var (h, w) = _geometry.OutSize(nameof(PrimaryCapsule), (input.size(2), input.size(3)), _kernel, nameof(input));

        using var scope = NewDisposeScope();
        var x = Convolution.Apply(
            input, weight, _scale == 1 ? bias : null, _geometry, Kernel, ComputeDtype ?? weight.dtype, result: weight.dtype);
        if (_scale != 1)
        {
            x = Arithmetic.Times(x, _scale);
            x = bias is null ? x : Arithmetic.Plus(x, bias.view(1, -1, 1, 1));
        }

        if (activation is not null)
        {
            var shape = x.shape;
            x = activation.call(x);
            ShapeGuard.Shape(nameof(PrimaryCapsule), x, nameof(activation), "B, T * D, H, W", shape,
                _ => "The activation must keep the shape.");
        }

        x = x.reshape(input.size(0), CapsuleTypes, CapsuleDim, h * w).transpose(2, 3);      // (B, T, D, P) -> (B, T, P, D)
        return Functional.squash(x.reshape(input.size(0), CapsuleTypes * h * w, CapsuleDim)).MoveToOuterDisposeScope();
    }
}
