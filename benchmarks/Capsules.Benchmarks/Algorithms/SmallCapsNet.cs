using Capsules.Samples;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>
/// The same small network for every routing algorithm: a convolution, 128 primary capsules of 8 entries (8 types on a grid of 4 x 4),
/// and ten class capsules of 16.
/// </summary>
/// <remarks>
/// A primary capsule sees 21 x 21 pixels, most of a digit: with self-routing every capsule decides alone what it looks at, and one that
/// sees 13 x 13 cannot.
/// </remarks>
internal sealed class SmallCapsNet : ImageNetwork
{
    private const long Types = 8, Dim = 8, Classes = 10, ClassDim = 16;

    private readonly AlgorithmRecipe _recipe;
    private readonly Sequential stem;
    private readonly PrimaryCapsule primary;
    private readonly CapsuleLayer digits;
    private readonly Linear? classifier;

    /// <summary>Assembles it for MNIST's 28 x 28 pixels.</summary>
    public SmallCapsNet(AlgorithmRecipe recipe) : base(nameof(SmallCapsNet))
    {
        _recipe = recipe;
        stem = nn.Sequential(nn.Conv2d(1, 32, kernel_size: 5, stride: 2, bias: false), nn.BatchNorm2d(32), nn.ReLU());      // 28 -> 12
        primary = new PrimaryCapsule(32, Types, Dim, kernelSize: 9, stride: 1);                                             // 12 -> 4
        var (capsules, _) = primary.OutputShape(12, 12);
        digits = new CapsuleLayer(capsules, Dim, Classes, ClassDim, recipe.Routing(capsules, Dim, Classes, ClassDim));
        classifier = recipe.Scores == ScoreKind.Classifier ? nn.Linear(ClassDim, 1, hasBias: false) : null;
        RegisterComponents();
    }

    /// <summary>How much of the training is behind, in [0, 1].</summary>
    public double Progress { get; set; }

    public override string LossName => _recipe.LossName;

    /// <summary>Images (B, 1, 28, 28) to scores (B, 10).</summary>
    public override Tensor forward(Tensor images)
    {
        using var scope = NewDisposeScope();
        var (capsules, activations) = digits.Route(primary.call(stem.call(images)));
        return (classifier is null ? activations : classifier.call(capsules).squeeze(-1)).MoveToOuterDisposeScope();
    }

    public override Tensor Scores(Tensor output) => output.alias();

    public override Tensor Probabilities(Tensor output) => _recipe.Scores == ScoreKind.Classifier ? output.softmax(1) : output.alias();

    public override Tensor Loss(Tensor output, Tensor labels) => _recipe.Loss(output, labels, Progress);
}
