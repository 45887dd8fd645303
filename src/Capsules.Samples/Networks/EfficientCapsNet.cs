using Capsules.Onnx;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Samples;

/// <summary>
/// Efficient-CapsNet: four small convolutions, depthwise primary capsules that each see all of the image, and one capsule per class
/// by self-attention routing; a decoder reconstructs the image.
/// </summary>
/// <remarks>
/// <para>Mazzia, Salvetti, Chiaberge, "Efficient-CapsNet: Capsule Network with Self-Attention Routing", 2021,
/// https://arxiv.org/abs/2101.12491; sizes, initialisation and constants as in the authors' code (EscVM/Efficient-CapsNet).</para>
/// </remarks>
internal sealed class EfficientCapsNet : ClassCapsules
{
    private readonly Sequential features;
    private readonly DepthwisePrimaryCapsule primary;
    private readonly CapsuleLayer digits;

    /// <summary>
    /// Assembles the network: the published variants for 28 x 28 (MNIST), 36 x 36 (MultiMNIST) and 48 x 48 (smallNORB), each for
    /// images up to its size, and the last for all larger ones. The primary capsules' kernel adapts to the image.
    /// </summary>
    public EfficientCapsNet(ImageShape image, int classes, bool withDecoder = true) : base(nameof(EfficientCapsNet))
    {
        var size = Math.Max(image.Height, image.Width);
        var (isMultiMnist, isSmallNorb) = (size is > 28 and <= 36, size > 36);
        var (height, width, channels, blocks) = (image.Height, image.Width, image.Channels, new List<nn.Module<Tensor, Tensor>>());
        foreach (var (kernel, stride, outChannels) in ((long, long, long)[])
            [isSmallNorb ? (7, 2, 32) : (5, 1, 32), (3, 1, 64), (3, isMultiMnist ? 2 : 1, 64), (3, 2, 128)])
        {
            if (height < kernel || width < kernel)
            {
                throw new UserException($"EfficientCapsNet's convolutions leave nothing of images of {image.Height} x {image.Width} pixels. Enlarge the images.");
            }

            (height, width) = ((height - kernel) / stride + 1, (width - kernel) / stride + 1);      // 28 -> 24 -> 22 -> 20 -> 9
            blocks.AddRange(Block(channels, outChannels, kernel, stride, isSmallNorb));
            channels = outChannels;
        }

        // One position: 9 x 9 for MNIST, 8 x 8 for smallNORB. MultiMNIST's 5 x 5 leaves out a row and a column of its 6 x 6 map.
        var (primaryHeight, primaryWidth) = isMultiMnist ? (Math.Max(height - 1, 1), Math.Max(width - 1, 1)) : (height, width);
        features = nn.Sequential(blocks);
        primary = new DepthwisePrimaryCapsule(channels, capsuleDim: 8, (primaryHeight, primaryWidth), stride: (2, 2));
        var (capsules, dim) = primary.OutputShape(height, width);      // 16 of 8
        digits = new CapsuleLayer(capsules, dim, classes, 16, new SelfAttentionRouting(capsules, classes));
        KerasInitialize.HeNormal(digits.Weight, fanIn: classes * capsules * dim);      // as Keras counts in 4 dimensions
        decoder = withDecoder ? KerasInitialize.Draw(new MaskedDecoder(classes, 16, [image.Channels, image.Height, image.Width])) : null;
        RegisterComponents();
    }

    /// <summary>Images (B, C, H, W) in [0, 1] to class capsules (B, J, 16), whose lengths say which class is there.</summary>
    public override Tensor forward(Tensor images)
    {
        using var scope = NewDisposeScope();
        return digits.call(primary.call(features.Through(images))).MoveToOuterDisposeScope();
    }

    public override RoutingView Route(Tensor images)
    {
        using var scope = NewDisposeScope();
        var capsules = primary.call(features.Through(images));
        return new RoutingView(digits.Route(capsules, coupling: true), F.length(capsules), 1, 1).MoveToOuterDisposeScope();      // all at one position
    }

    protected override OnnxValue ExportCapsules(OnnxGraph graph, OnnxValue images) =>
        graph.Apply(digits, graph.Apply(primary, graph.Apply(features, images)));

    // Convolution, activation, normalisation, in this order; slopes, momenta and eps are Keras's defaults.
    private static nn.Module<Tensor, Tensor>[] Block(long channels, long outChannels, long kernel, long stride, bool isSmallNorb)
    {
        var convolution = KerasInitialize.Draw(nn.Conv2d(channels, outChannels, kernel, stride: stride));
        return isSmallNorb
            ? [convolution, nn.LeakyReLU(0.3), KerasInitialize.Draw(nn.InstanceNorm2d(outChannels, eps: 1e-3, affine: true))]
            : [convolution, nn.ReLU(), nn.BatchNorm2d(outChannels, eps: 1e-3, momentum: 0.01)];
    }
}
