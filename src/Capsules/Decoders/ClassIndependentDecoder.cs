using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>Reconstructs images from the chosen capsule alone, by fully connected layers that all classes share.</summary>
/// <remarks>
/// <para>Capsules (B, J, E), of which one a sample is taken, (B, E), through hidden layers with ReLU and an output layer with sigmoid,
/// to images (B, C, H, W) in [0, 1]. Since the weights do not know the class, an entry of a capsule comes to mean the same in every
/// class, and the first layer has 1 / J of the weights of <see cref="MaskedDecoder"/>'s.</para>
/// <para>State dict: <c>layers.0.weight</c>, <c>layers.0.bias</c>, and so on, one Linear for each hidden layer and the output.</para>
/// <para>Rajasegaran, Jayasundara, Jayasekara, Jayasekara, Seneviratne, Rodrigo, "DeepCaps: Going Deeper with Capsule Networks", CVPR
/// 2019, https://arxiv.org/abs/1904.09546, whose decoder is convolutional besides: that is <see cref="ConvolutionalDecoder"/>.</para>
/// </remarks>
public sealed class ClassIndependentDecoder : CapsuleDecoder
{
    private readonly ModuleList<Linear> layers;

    /// <summary>Makes a decoder.</summary>
    /// <param name="capsules">J, the capsules, at least 1.</param>
    /// <param name="capsuleDim">E, their dimension, at least 1.</param>
    /// <param name="outputShape">The image's shape without the batch, usually (C, H, W); at least one size, each at least 1.</param>
    /// <param name="hiddenSizes">The widths of the hidden layers, possibly none. Default: 512 and 1024, as in the 2017 paper.</param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of its range.</exception>
    /// <exception cref="ArgumentException"><paramref name="outputShape"/> is empty, or the dtype is not floating-point.</exception>
    public ClassIndependentDecoder(
        long capsules, long capsuleDim, long[] outputShape, long[]? hiddenSizes = null, Device? device = null, ScalarType? dtype = null)
        : base(nameof(ClassIndependentDecoder), capsules, capsuleDim, outputShape, isClassIndependent: true)
    {
        ShapeGuard.ParameterDtype(nameof(ClassIndependentDecoder), dtype);
        layers = FullyConnected.Layers(Features, hiddenSizes ?? FullyConnected.PaperSizes, outputShape, Preset.Paper, device, dtype);
        RegisterComponents();
        if (device is not null)
        {
            (_deviceType, _deviceIndex) = (device.type, device.index);
        }
    }

    /// <inheritdoc/>
    protected override Tensor Decode(Tensor features) => FullyConnected.Apply(layers, features);
}
