using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>Reconstructs images from capsules: all but the chosen capsules are masked, and fully connected layers decode the rest.</summary>
/// <remarks>
/// <para>Capsules (B, J, E), masked, flattened to (B, J * E), through hidden layers with ReLU and an output layer with sigmoid,
/// to images (B, C, H, W) in [0, 1]. The paper's decoder: 160 to 512 to 1024 to 784.</para>
/// <para>State dict: <c>layers.0.weight</c>, <c>layers.0.bias</c>, and so on, one Linear for each hidden layer and the output.</para>
/// <para>Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, section 4.1 and figure 2. https://arxiv.org/abs/1710.09829</para>
/// </remarks>
public sealed class MaskedDecoder : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly ModuleList<Linear> layers;
    private readonly long[] _outputShape;

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
        : base(nameof(MaskedDecoder))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capsules, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(capsuleDim, 1);
        ArgumentNullException.ThrowIfNull(outputShape);
        hiddenSizes ??= [512, 1024];
        if (outputShape.Length == 0)
        {
            throw new ArgumentException("MaskedDecoder expected outputShape to have at least one size, as [1, 28, 28], but got none.", nameof(outputShape));
        }

        foreach (var size in outputShape)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(size, 1, nameof(outputShape));
        }

        foreach (var size in hiddenSizes)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(size, 1, nameof(hiddenSizes));
        }

        ShapeGuard.ParameterDtype(nameof(MaskedDecoder), dtype);
        (Capsules, CapsuleDim, _outputShape) = (capsules, capsuleDim, [.. outputShape]);
        long[] widths = [capsules * capsuleDim, .. hiddenSizes, outputShape.Aggregate(1L, (product, size) => product * size)];
        layers = [];
        for (var i = 1; i < widths.Length; i++)
        {
            var layer = nn.Linear(widths[i - 1], widths[i], device: device, dtype: dtype);
            if (preset == Preset.OfficialCode)
            {
                Initialize.TruncatedNormal(layer.weight!, 0.1);
                nn.init.constant_(layer.bias!, 0.1);
            }

            layers.Add(layer);
        }

        RegisterComponents();
        if (device is not null)
        {
            (_deviceType, _deviceIndex) = (device.type, device.index);
        }
    }

    /// <summary>J, the capsules.</summary>
    public long Capsules { get; }

    /// <summary>E, their dimension.</summary>
    public long CapsuleDim { get; }

    /// <summary>The shape of one reconstruction, usually (C, H, W).</summary>
    public IReadOnlyList<long> OutputShape => _outputShape;

    /// <summary>Reconstructs one image a sample.</summary>
    /// <param name="input">Capsules (B, J, E).</param>
    /// <param name="keep">
    /// The capsules that are decoded: Int64 labels (B), sets (B, K), or a Bool mask (B, J); several are decoded together into
    /// one image. Default (null): the longest.
    /// </param>
    /// <returns>Images (B, C, H, W) in [0, 1].</returns>
    /// <exception cref="ArgumentException">A shape, dtype or label does not fit.</exception>
    public override Tensor forward(Tensor input, Tensor? keep)
    {
        CheckInput(input);
        using var scope = NewDisposeScope();
        return Decode(Functional.mask(input, keep)).MoveToOuterDisposeScope();
    }

    /// <summary>Reconstructs one image a sample from its longest capsule.</summary>
    /// <param name="input">Capsules (B, J, E).</param>
    /// <returns>Images (B, C, H, W) in [0, 1].</returns>
    /// <exception cref="ArgumentException">The shape or dtype does not fit.</exception>
    public Tensor call(Tensor input) => call(input, null);

    /// <summary>Reconstructs every object of a sample by itself: one image for each of its K capsules, by the same weights.</summary>
    /// <remarks><para>Sabour, Frosst, Hinton, 2017, section 6 (MultiMNIST): each digit is reconstructed in turn.</para></remarks>
    /// <param name="input">Capsules (B, J, E).</param>
    /// <param name="labels">Int64 labels (B, K), the capsules of the K objects; <see cref="Functional.longest"/> gives the K longest.</param>
    /// <returns>Images (B, K, C, H, W) in [0, 1].</returns>
    /// <exception cref="ArgumentException">A shape, dtype or label does not fit.</exception>
    public Tensor DecodeEach(Tensor input, Tensor labels)
    {
        CheckInput(input);
        ShapeGuard.Shape(nameof(MaskedDecoder), labels, nameof(labels), "B, K", [input.size(0), ShapeGuard.Any]);
        ShapeGuard.SameDevice(nameof(MaskedDecoder), labels, nameof(labels), input.device, nameof(input));
        ShapeGuard.Labels(nameof(MaskedDecoder), labels, nameof(labels), Capsules);
        using var scope = NewDisposeScope();
        var (batch, objects) = (input.size(0), labels.size(1));
        var repeated = input.unsqueeze(1).expand(batch, objects, Capsules, CapsuleDim).reshape(batch * objects, Capsules, CapsuleDim);
        var images = Decode(Functional.mask(repeated, labels.reshape(batch * objects)));
        return images.reshape([batch, objects, .. _outputShape]).MoveToOuterDisposeScope();
    }

    private Tensor Decode(Tensor masked)
    {
        var x = masked.reshape(masked.size(0), Capsules * CapsuleDim);
        for (var i = 0; i < layers.Count - 1; i++)
        {
            x = nn.functional.relu(layers[i].call(x));
        }

        return layers[^1].call(x).sigmoid().reshape([masked.size(0), .. _outputShape]);
    }

    private void CheckInput(Tensor input)
    {
        ShapeGuard.Shape(nameof(MaskedDecoder), input, nameof(input), "B, J, E", [ShapeGuard.Any, Capsules, CapsuleDim]);
        ShapeGuard.Like(nameof(MaskedDecoder), input, nameof(input), layers[0].weight!, "layers.0.weight");
    }
}
