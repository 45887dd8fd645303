using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>Primary capsules with pose matrices: a convolution that gives every capsule a pose and an activation.</summary>
/// <remarks>
/// <para>Image or feature map (B, C, H, W) to poses (B, T, h, w, P * P), linear, and activations (B, T, h, w), through a sigmoid.</para>
/// <para>State dict: <c>weight</c> (T * (P * P + 1), C, kh, kw), <c>bias</c> where there is one: first the P * P entries of each type's
/// pose, then the activations; with batch normalisation <c>pose_norm.*</c> and <c>activation_norm.*</c>, whose running statistics a pass in training mode
/// changes: one thread at a time. Hooks of these two are not called.</para>
/// <para>Hinton, Sabour, Frosst, "Matrix capsules with EM routing", 2018, section 4 (PrimaryCaps).
/// https://openreview.net/forum?id=HJWLfGWRb. Batch normalisation: the code of Ribeiro et al. 2020.</para>
/// <code>var (poses, activations) = primary.call(features);</code>
/// </remarks>
public sealed class MatrixPrimaryCapsule : nn.Module<Tensor, (Tensor Poses, Tensor Activations)>
{
    private Parameter weight;

    private Parameter? bias;

    private readonly BatchNorm3d? pose_norm;

    private readonly BatchNorm2d? activation_norm;

    private readonly (long H, long W) _kernel;
    private readonly ConvolutionGeometry _geometry;

    /// <summary>Makes primary capsules. Weights and bias are as PyTorch's Conv2d draws them: uniform in +-1 / sqrt(C kh kw).</summary>
    /// <param name="inChannels">C, the channels of the input, at least 1.</param>
    /// <param name="capsuleTypes">T, the capsule types, at least 1. Default: 32.</param>
    /// <param name="poseSize">P, the side of a pose matrix, at least 1. Default: 4.</param>
    /// <param name="kernelSize">The kernel's height and width, at least 1. Default: 1, as in the paper.</param>
    /// <param name="stride">The stride, at least 1. Default: 1.</param>
    /// <param name="padding">Zeros on every side, at least 0. Default: 0.</param>
    /// <param name="bias">Whether there is a bias. Default: true.</param>
    /// <param name="batchNorm">
    /// Whether poses and activations are batch-normalised, with a scale and shift for each type, before the sigmoid. Default: false.
    /// </param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of its range.</exception>
    /// <exception cref="ArgumentException">The dtype is not floating-point.</exception>
    public MatrixPrimaryCapsule(
        long inChannels,
        long capsuleTypes = 32,
        long poseSize = 4,
        long kernelSize = 1,
        long stride = 1,
        long padding = 0,
        bool bias = true,
        bool batchNorm = false,
        Device? device = null,
        ScalarType? dtype = null)
        : base(nameof(MatrixPrimaryCapsule))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(inChannels, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(capsuleTypes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(poseSize, 1);
        ShapeGuard.ParameterDtype(nameof(MatrixPrimaryCapsule), dtype);
        (_kernel, _geometry) = ((kernelSize, kernelSize), new ConvolutionGeometry((stride, stride), (padding, padding), (1, 1)));
        _geometry.Check(_kernel);
        (InChannels, CapsuleTypes, PoseSize) = (inChannels, capsuleTypes, poseSize);

        var channels = capsuleTypes * (poseSize * poseSize + 1);
        var fanIn = inChannels * kernelSize * kernelSize;
        weight = Initialize.Parameter([channels, inChannels, kernelSize, kernelSize], device, dtype,
            w => Initialize.Uniform(w, fanIn));
        this.bias = bias ? Initialize.Parameter([channels], device, dtype, b => Initialize.Uniform(b, fanIn)) : null;
        if (batchNorm)
        {
            pose_norm = nn.BatchNorm3d(capsuleTypes, device: device, dtype: dtype);
            activation_norm = nn.BatchNorm2d(capsuleTypes, device: device, dtype: dtype);
        }

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

    /// <summary>P, the side of a pose matrix.</summary>
    public long PoseSize { get; }

    /// <summary>The convolution's weight (T * (P * P + 1), C, kh, kw).</summary>
    public Parameter Weight => weight;

    /// <summary>Its bias (T * (P * P + 1)), or null.</summary>
    public Parameter? Bias => bias;

    /// <summary>The kernel's size.</summary>
    public (long Height, long Width) KernelSize => _kernel;

    /// <summary>The stride.</summary>
    public (long Height, long Width) Stride => _geometry.Stride;

    /// <summary>Zeros on every side.</summary>
    public (long Height, long Width) Padding => _geometry.Padding;

    /// <summary>The grid of capsules that an image of a given size becomes.</summary>
    /// <param name="height">H, the input's height.</param>
    /// <param name="width">W, the input's width.</param>
    /// <returns>h and w.</returns>
    /// <exception cref="ArgumentException">The image is smaller than the kernel.</exception>
    public (long Height, long Width) OutputShape(long height, long width) =>
        _geometry.OutSize(nameof(MatrixPrimaryCapsule), (height, width), _kernel, nameof(height));

    /// <summary>Turns images or feature maps into capsules.</summary>
    /// <param name="input">Images or feature maps (B, C, H, W), of the dtype and on the device of the weight.</param>
    /// <returns>Poses (B, T, h, w, P * P) and activations (B, T, h, w) in (0, 1).</returns>
    /// <exception cref="ArgumentException">
    /// The shape, dtype or device does not fit, the image is smaller than the kernel, or a batch of one is to be normalised at one
    /// position in training mode.
    /// </exception>
    public override (Tensor Poses, Tensor Activations) forward(Tensor input)
    {
        ShapeGuard.Shape(nameof(MatrixPrimaryCapsule), input, nameof(input), "B, C, H, W",
            [ShapeGuard.Any, InChannels, ShapeGuard.Any, ShapeGuard.Any]);
        ShapeGuard.Like(nameof(MatrixPrimaryCapsule), input, nameof(input), weight, nameof(weight));
        var (h, w) = _geometry.OutSize(nameof(MatrixPrimaryCapsule), (input.size(2), input.size(3)), _kernel, nameof(input));
        if (activation_norm is not null && training && input.size(0) * h * w == 1)
        {
            throw new ArgumentException(
                "MatrixPrimaryCapsule normalises over the batch and cannot do so with one sample at one position in training mode. " +
                "Use a larger batch or call eval().", nameof(input));
        }

        using var scope = NewDisposeScope();
        var x = Convolution.Apply(input, weight, bias, _geometry, ConvolutionKernel.Automatic, weight.dtype);
        var entries = PoseSize * PoseSize;
        var poses = x.narrow(1, 0, CapsuleTypes * entries).reshape(input.size(0), CapsuleTypes, entries, h, w);
        var activations = x.narrow(1, CapsuleTypes * entries, CapsuleTypes);
        if (pose_norm is not null && activation_norm is not null)
        {
            (poses, activations) = (BatchNormalisation.Call(pose_norm, poses), BatchNormalisation.Call(activation_norm, activations));
        }

        return (poses.permute(0, 1, 3, 4, 2).contiguous().MoveToOuterDisposeScope(), activations.sigmoid().MoveToOuterDisposeScope());
    }
}
