using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Samples;

/// <summary>
/// Capsules with inverted dot-product attention routing: a small convolutional backbone, normalised primary capsules, two convolutional
/// capsule layers and one capsule per class, all routed at once, and one linear layer that reads every class capsule.
/// </summary>
/// <remarks>
/// <para>Tsai, Srivastava, Goh, Salakhutdinov, "Capsules with Inverted Dot-Product Attention Routing", 2020,
/// https://arxiv.org/abs/2002.04764. Poses of 4 x 4 and concurrent routing as in the paper; the backbone is two convolutions, and
/// there are 8 capsule types, where the authors' network for CIFAR-10 has a residual one and 32.</para>
/// </remarks>
internal sealed class InvertedAttentionCapsNet : ImageNetwork
{
    private const long Types = 8, Pose = 16;

    private readonly Sequential backbone;
    private readonly Conv2d primary;
    private readonly LayerNorm norm;
    private readonly ConvCapsuleLayer convCaps1;
    private readonly ConvCapsuleLayer convCaps2;
    private readonly CapsuleLayer digits;
    private readonly Linear classifier;
    private readonly int _iterations;

    /// <summary>Assembles the network for images of any size from 13 x 13 and any number of channels and classes.</summary>
    public InvertedAttentionCapsNet(ImageShape image, int classes, int routingIterations = 2) : base(nameof(InvertedAttentionCapsNet))
    {
        image.RequireAtLeast(13, "InvertedAttentionCapsNet's convolutions");
        _iterations = routingIterations;
        backbone = nn.Sequential(
            nn.Conv2d(image.Channels, 32, kernel_size: 3, padding: 1, bias: false), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Conv2d(32, 64, kernel_size: 3, stride: 2, padding: 1, bias: false), nn.BatchNorm2d(64), nn.ReLU());      // 28 -> 14
        primary = nn.Conv2d(64, Types * Pose, kernel_size: 1, bias: false);
        norm = nn.LayerNorm(Pose);
        convCaps1 = new ConvCapsuleLayer(Types, Pose, Types, Pose, Routing(), kernelSize: 3, stride: 2, kind: CapsuleKind.Matrix);      // 14 -> 6
        convCaps2 = new ConvCapsuleLayer(Types, Pose, Types, Pose, Routing(), kernelSize: 3, kind: CapsuleKind.Matrix);                 // 6 -> 4
        var (height, width) = convCaps1.OutputShape((image.Height + 1) / 2, (image.Width + 1) / 2);
        (height, width) = convCaps2.OutputShape(height, width);
        digits = new CapsuleLayer(Types * height * width, Pose, classes, Pose, Routing(), kind: CapsuleKind.Matrix);
        classifier = nn.Linear(Pose, 1, hasBias: false);      // the same for all classes, a bias means nothing to a softmax over them
        RegisterComponents();

        InvertedDotProductRouting Routing() => new(Pose, routingIterations);
    }

    public override string LossName => "cross-entropy";

    /// <summary>Images (B, C, H, W) to logits (B, J).</summary>
    public override Tensor forward(Tensor images)
    {
        using var scope = NewDisposeScope();
        var features = primary.call(backbone.Through(images));                                                                   // (B, T * 16, h, w)
        var capsules = norm.call(features.unflatten(1, Types, Pose).permute(0, 1, 3, 4, 2));                                  // (B, T, h, w, 16)
        var classes = F.route_concurrently(capsules, _iterations, convCaps1.Update, convCaps2.Update,
            (grid, outputs) => digits.Update(grid.flatten(1, 3), outputs));
        return classifier.call(classes).squeeze(-1).MoveToOuterDisposeScope();
    }

    public override Tensor Scores(Tensor logits) => logits.alias();

    public override Tensor Probabilities(Tensor logits) => logits.softmax(1);

    public override Tensor Loss(Tensor logits, Tensor labels) => F.capsule_cross_entropy(logits, labels);
}
