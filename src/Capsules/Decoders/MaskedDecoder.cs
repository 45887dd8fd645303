using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>
/// Reconstructs images from capsules: all but the chosen capsules are masked, and fully connected layers decode the rest.
/// </summary>
/// <remarks>
/// <para>Capsules (B, J, E), masked, flattened to (B, J * E), through hidden layers with ReLU and an output layer with sigmoid,
/// to images (B, C, H, W) in [0, 1]. The paper's decoder: 160 to 512 to 1024 to 784.</para>
/// <para>State dict: <c>layers.0.weight</c>, <c>layers.0.bias</c>, and so on, one Linear for each hidden layer and the output.</para>
/// <para>Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, section 4.1 and figure 2.
/// https://arxiv.org/abs/1710.09829</para>
/// </remarks>
public sealed class MaskedDecoder : CapsuleDecoder
{
    private readonly ModuleList<Linear> layers;

    /// <summary>Makes a decoder.</summary>
    /// <param name="capsules">J, the capsules, at least 1.</param>
    /// <param name="capsuleDim">E, their dimension, at least 1.</param>
    /// <param name="outputShape">The image's shape without the batch, usually (C, H, W); at least one size, each at least 1.</param>
    /// <param name="hiddenSizes">The widths of the hidden layers, possibly none. Default: 512 and 1024, as in the paper.</param>
    /// <param name="preset">
    /// Initialisation. <see cref="Preset.Paper"/> (default): as PyTorch's Linear. <see cref="Preset.OfficialCode"/>: truncated
    /// normal of standard deviation 0.1, bias 0.1.
    /// </param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of its range.</exception>
    /// <exception cref="ArgumentException"><paramref name="outputShape"/> is empty, or the dtype is not floating-point.</exception>
    public MaskedDecoder(
        long capsules,
        long capsuleDim,
        long[] outputShape,
        long[]? hiddenSizes = null,
        Preset preset = Preset.Paper,
        Device? device = null,
        ScalarType? dtype = null)
        : base(nameof(MaskedDecoder), capsules, capsuleDim, outputShape, isClassIndependent: false)
    {
        ShapeGuard.ParameterDtype(nameof(MaskedDecoder), dtype);
        layers = FullyConnected.Layers(Features, hiddenSizes ?? FullyConnected.PaperSizes, outputShape, preset, device, dtype);
        RegisterComponents();
        if (device is not null)
        {
            (_deviceType, _deviceIndex) = (device.type, device.index);
        }
    }

    /// <inheritdoc/>
    protected override Tensor Decode(Tensor features) => FullyConnected.Apply(layers, features);
}
