using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Samples;

/// <summary>
/// Matrix capsules with EM routing: a convolution, capsules with 4 x 4 poses and activations, two convolutional capsule layers, and
/// one capsule per class whose votes know where on the grid they come from.
/// </summary>
/// <remarks>
/// <para>Hinton, Sabour, Frosst, "Matrix capsules with EM routing", 2018, figure 1, https://openreview.net/forum?id=HJWLfGWRb. The
/// sizes are a configuration for one CPU: A = 32 channels and B = C = D = 8 capsule types, where the paper has 32 throughout.
/// Costs are normalised as in Gritzman 2019, https://arxiv.org/abs/1907.00652, and primary capsules over the batch as in the code of
/// Ribeiro et al. 2020.</para>
/// </remarks>
internal sealed class MatrixCapsNet : ImageNetwork
{
    private const long A = 32, B = 8, C = 8, D = 8, Pose = 16;

    /// <summary>Epochs in which the margin of the loss rises from 0.2 to 0.9.</summary>
    private const double EpochsOfMargin = 1;

    // Four times what the layers draw with. The mean of many votes that agree in nothing is much shorter than one of them: with the
    // layers' own 1/2, poses at first have standard deviations of 0.16, 0.04 and 0.007 from layer to layer, and class capsules see
    // coordinates alone.
    private const double WeightStd = 2;

    private readonly Conv2d conv1;
    private readonly MatrixPrimaryCapsule primary;
    private readonly ConvCapsuleLayer convCaps1;
    private readonly ConvCapsuleLayer convCaps2;
    private readonly ClassCapsuleLayer digits;

    /// <summary>Assembles the network for images of any size from 17 x 17 and any number of channels and classes.</summary>
    public MatrixCapsNet(ImageShape image, int classes, int routingIterations = 2) : base(nameof(MatrixCapsNet))
    {
        image.RequireAtLeast(17, "MatrixCapsNet's convolutions");
        conv1 = nn.Conv2d(image.Channels, A, kernel_size: 5, stride: 2);                                              // 28 -> 12
        primary = new MatrixPrimaryCapsule(A, B, batchNorm: true);
        convCaps1 = new ConvCapsuleLayer(B, Pose, C, Pose, Em(C), kernelSize: 3, stride: 2, kind: CapsuleKind.Matrix);      // 12 -> 5
        convCaps2 = new ConvCapsuleLayer(C, Pose, D, Pose, Em(D), kernelSize: 3, kind: CapsuleKind.Matrix);                 // 5 -> 3
        digits = new ClassCapsuleLayer(D, Pose, classes, Pose, Em(classes), coordinateAddition: true, kind: CapsuleKind.Matrix);
        foreach (var weight in (Parameter[])[convCaps1.Weight, convCaps2.Weight, digits.Weight])
        {
            nn.init.normal_(weight, 0, WeightStd);
        }

        RegisterComponents();

        EMRouting Em(long types) => new(types, routingIterations, normalizeCost: true);
    }

    public override string LossName => "spread loss";

    /// <summary>Images (B, C, H, W) in [0, 1] to the activations (B, J) of the class capsules.</summary>
    public override Tensor forward(Tensor images)
    {
        using var scope = NewDisposeScope();
        var (poses, activations) = primary.call(nn.functional.relu(conv1.call(images)));
        (poses, activations) = convCaps1.Route(poses, activations);
        (poses, activations) = convCaps2.Route(poses, activations);
        (_, activations) = digits.Route(poses, activations);
        return activations.MoveToOuterDisposeScope();
    }

    public override Tensor Scores(Tensor activations) => activations.alias();

    public override Tensor Probabilities(Tensor activations) => activations.alias();

    public override Tensor Loss(Tensor activations, Tensor labels) =>
        F.spread_loss(activations, labels, SpreadLoss.LinearMargin(EpochsBehind / EpochsOfMargin));
}
