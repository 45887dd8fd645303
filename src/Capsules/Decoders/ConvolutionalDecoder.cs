using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>
/// Reconstructs images from capsules by transposed convolutions: far fewer weights than fully connected layers, and the more so the
/// larger the image.
/// </summary>
/// <remarks>
/// <para>A linear layer with ReLU makes a small grid of 16 channels; 3 x 3 transposed convolutions with ReLU follow, the first of
/// stride 1 and each further one of stride 2, which doubles the grid; a last one of stride 1 with sigmoid makes the image,
/// (B, C, H, W) in [0, 1]. The grid's sides are those of the image, halved and rounded up once for each doubling, so that any image
/// size comes out exactly.</para>
/// <para>State dict: <c>grid.weight</c>, <c>grid.bias</c>, and <c>layers.0.weight</c>, <c>layers.0.bias</c>, and so on.</para>
/// <para>After Rajasegaran et al., "DeepCaps: Going Deeper with Capsule Networks", CVPR 2019, https://arxiv.org/abs/1904.09546, whose
/// sizes are the defaults: 64, 32, 16 and 8 channels, a grid of 8 x 8 for images of 64 x 64. Their code (brjathu/deepcaps) differs in
/// having a batch normalisation on the grid, which would make a sample's reconstruction depend on others, no ReLU between the
/// convolutions, and ReLU instead of sigmoid at the end.</para>
/// </remarks>
public sealed class ConvolutionalDecoder : CapsuleDecoder
{
    private const long GridChannels = 16;

    private readonly Linear grid;

    private readonly ModuleList<ConvTranspose2d> layers;

    private readonly long[] _heights, _widths;      // of the grid, and after each doubling

    /// <summary>Makes a decoder.</summary>
    /// <param name="capsules">J, the capsules, at least 1.</param>
    /// <param name="capsuleDim">E, their dimension, at least 1.</param>
    /// <param name="outputShape">The image's shape (C, H, W), each at least 1.</param>
    /// <param name="channels">
    /// The channels of the transposed convolutions before the last, at least one; all but the first double the grid. Default: 64, 32,
    /// 16 and 8, as in DeepCaps: three doublings.
    /// </param>
    /// <param name="classIndependent">
    /// Whether the decoder sees the chosen capsule alone, as in DeepCaps (default), or all capsules, masked.
    /// </param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of its range.</exception>
    /// <exception cref="ArgumentException">
    /// <paramref name="outputShape"/> is not (C, H, W), <paramref name="channels"/> is empty, or the dtype is not floating-point.
    /// </exception>
    public ConvolutionalDecoder(
        long capsules,
        long capsuleDim,
        long[] outputShape,
        long[]? channels = null,
        bool classIndependent = true,
        Device? device = null,
        ScalarType? dtype = null)
        : base(nameof(ConvolutionalDecoder), capsules, capsuleDim, outputShape, classIndependent)
    {
        channels ??= [64, 32, 16, 8];
        if (outputShape.Length != 3)
        {
            throw new ArgumentException(
                $"ConvolutionalDecoder expected outputShape to be (C, H, W), as [1, 28, 28], but got {ShapeGuard.Text(outputShape)}.",
                nameof(outputShape));
        }

        if (channels.Length == 0)
        {
            throw new ArgumentException(
                "ConvolutionalDecoder expected channels to have at least one entry, as [64, 32, 16, 8], but got none.", nameof(channels));
        }

        foreach (var count in channels)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(count, 1, nameof(channels));
        }

        ShapeGuard.ParameterDtype(nameof(ConvolutionalDecoder), dtype);
        (_heights, _widths) = (Halvings(outputShape[1], channels.Length - 1), Halvings(outputShape[2], channels.Length - 1));
        var values = GridChannels * _heights[0] * _widths[0];
        grid = Initialize.Sized(() => nn.Linear(Features, values, device: device, dtype: dtype), values, Features);
        layers = [];
        for (var i = 0; i <= channels.Length; i++)
        {
            var (from, to) = (i == 0 ? GridChannels : channels[i - 1], i == channels.Length ? outputShape[0] : channels[i]);
            layers.Add(nn.ConvTranspose2d(from, to, kernel_size: 3, device: device, dtype: dtype));
        }

        RegisterComponents();
        if (device is not null)
        {
            (_deviceType, _deviceIndex) = (device.type, device.index);
        }
    }

    /// <inheritdoc/>
    protected override Tensor Decode(Tensor features)
    {
        var x = nn.functional.relu(grid.call(features)).reshape(features.size(0), GridChannels, _heights[0], _widths[0]);
        x = nn.functional.relu(Apply(layers[0], x, 1, [0, 0]));
        for (var i = 1; i < layers.Count - 1; i++)
        {
            // A stride of 2 makes 2 n - 1 pixels of n; one more at the far edge makes that 2 n where it is to be.
            x = nn.functional.relu(Apply(layers[i], x, 2, [1 - _heights[i] % 2, 1 - _widths[i] % 2]));
        }

        return Apply(layers[^1], x, 1, [0, 0]).sigmoid();
    }

    // TorchSharp 0.107.0's ConvTranspose2d loses an output padding that differs between height and width; the function does not.
    private static Tensor Apply(ConvTranspose2d layer, Tensor x, long stride, long[] outputPadding) =>
        nn.functional.conv_transpose2d(
            x, layer.weight!, layer.bias, strides: [stride, stride], padding: [1, 1], output_padding: outputPadding);

    // A side of the image after each doubling, from the grid's to its own.
    private static long[] Halvings(long size, int doublings)
    {
        var sizes = new long[doublings + 1];
        for (var i = doublings; i >= 0; i--)
        {
            sizes[i] = size;
            size = (size + 1) / 2;
        }

        return sizes;
    }
}
