using Capsules.Onnx;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Samples;

/// <summary>
/// The capsule network of Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules" (2017), figures 1 and 2:
/// image -> 9x9 convolution -> primary capsules -> one capsule per class by routing; and a decoder that reconstructs the image.
/// </summary>
internal sealed class CapsNet : ClassCapsules
{
    private readonly Conv2d conv1;
    private readonly PrimaryCapsule primary;
    private readonly CapsuleLayer digits;
    private readonly ScalarType? _computeDtype;

    /// <summary>Assembles the network for images of any size from 17 x 17 and any number of channels and classes.</summary>
    public CapsNet(
        ImageShape image, int classes, int routingIterations = 3, Preset preset = Preset.Paper, bool withDecoder = true, Precision precision = Precision.Float32)
        : base(nameof(CapsNet), preset)
    {
        _computeDtype = precision.ComputeDtype();
        image.RequireAtLeast(17, "CapsNet's two 9 x 9 convolutions");
        conv1 = nn.Conv2d(image.Channels, 256, kernel_size: 9);                                                 // 28 -> 20
        primary = new PrimaryCapsule(256, capsuleTypes: 32, capsuleDim: 8, kernelSize: 9, stride: 2, preset: preset,      // 20 -> 6
            activation: new StageEnd("primary convolution"), computeDtype: _computeDtype);
        var (capsules, dim) = primary.OutputShape(image.Height - 8, image.Width - 8);                           // 1152 of 8
        digits = new CapsuleLayer(capsules, dim, classes, 16, routingIterations, preset: preset);
        decoder = withDecoder ? new MaskedDecoder(classes, 16, [image.Channels, image.Height, image.Width], preset: preset) : null;
        if (preset == Preset.OfficialCode)
        {
            Initialize.TruncatedNormal(conv1.weight!, std: 0.05);
            using var bias = 0.1.ToScalar();
            nn.init.constant_(conv1.bias!, bias);
        }

        RegisterComponents();
    }

    /// <summary>Images (B, C, H, W) in [0, 1] to class capsules (B, J, 16), whose lengths say which class is there.</summary>
    public override Tensor forward(Tensor images)
    {
        using var scope = NewDisposeScope();
        return StageClock.End("routing", digits.call(PrimaryCapsules(images).Capsules)).MoveToOuterDisposeScope();
    }

    public override RoutingView Route(Tensor images)
    {
        using var scope = NewDisposeScope();
        var (capsules, height, width) = PrimaryCapsules(images);
        return new RoutingView(digits.Route(capsules, coupling: true), F.length(capsules), height, width).MoveToOuterDisposeScope();
    }

    protected override OnnxValue ExportCapsules(OnnxGraph graph, OnnxValue images) =>
        graph.Apply(digits, graph.Apply(primary, graph.Relu(graph.Apply(conv1, images))));

    // With the size of their grid.
    private (Tensor Capsules, long Height, long Width) PrimaryCapsules(Tensor images)
    {
        var x = _computeDtype is { } compute ? images.to_type(compute) : images;      // features stay in it up to the primary capsules
        var features = StageClock.End(
            "first convolution", SequentialCalls.Seen(conv1, x, F.conv2d(x, conv1.weight!, conv1.bias, relu: true, computeDtype: _computeDtype)));
        return (StageClock.End("squash", primary.call(features)), (features.size(2) - 9) / 2 + 1, (features.size(3) - 9) / 2 + 1);
    }
}
