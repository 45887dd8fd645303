using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Benchmarks;

/// <summary>How a small network with one routing algorithm reads its class capsules, and by what loss it learns.</summary>
/// <param name="Name">The algorithm, named as its class.</param>
/// <param name="Routing">The algorithm for N capsules of D entries and J of E.</param>
/// <param name="Scores">What the class is read from.</param>
/// <param name="LossName">The loss, for the table.</param>
/// <param name="Loss">The loss of scores (B, J) and labels (B), and of how much of the training is behind, in [0, 1].</param>
/// <param name="LearningRate">Adam's learning rate in the first step.</param>
internal sealed record AlgorithmRecipe(
    string Name,
    Func<long, long, long, long, Routing> Routing,
    ScoreKind Scores,
    string LossName,
    Func<Tensor, Tensor, double, Tensor> Loss,
    double LearningRate = 3e-3)
{
    private static readonly Func<Tensor, Tensor, double, Tensor> Margin = (lengths, labels, _) => F.margin_loss(lengths, labels);

    /// <summary>The library's algorithms with their default settings, each with the reading and the loss of its paper.</summary>
    public static IReadOnlyList<AlgorithmRecipe> All { get; } =
    [
        new(nameof(UniformRouting), (_, _, _, _) => new UniformRouting(), ScoreKind.Activation, "margin", Margin),
        new(nameof(DynamicRouting), (_, _, _, _) => new DynamicRouting(), ScoreKind.Activation, "margin", Margin),
        new(nameof(MaxMinRouting), (_, _, _, _) => new MaxMinRouting(), ScoreKind.Activation, "margin", Margin,
            LearningRate: 1e-3),      // it couples by 1 where a softmax does by 1 / J, so its weights are drawn J times smaller
        new(nameof(KMeansRouting), (_, _, _, _) => new KMeansRouting(), ScoreKind.Activation, "margin", Margin),
        new(nameof(SelfAttentionRouting), (n, _, j, _) => new SelfAttentionRouting(n, j), ScoreKind.Activation, "margin", Margin),
        new(nameof(SelfRouting), (n, d, j, _) => new SelfRouting(n, d, j), ScoreKind.Activation, "negative log likelihood",
            (activations, labels, _) => F.capsule_cross_entropy(activations, labels, probabilities: true),
            LearningRate: 1e-2),      // its routing weights are zero at first, and no agreement helps them along
        new(nameof(InvertedDotProductRouting), (_, _, _, e) => new InvertedDotProductRouting(e), ScoreKind.Classifier, "cross-entropy",
            (logits, labels, _) => F.capsule_cross_entropy(logits, labels)),
        new(nameof(EMRouting), (_, _, j, _) => new EMRouting(j), ScoreKind.Activation, "spread, margin 0.2 to 0.9",
            (activations, labels, progress) => F.spread_loss(activations, labels, SpreadLoss.LinearMargin(progress))),
        new(nameof(VariationalBayesRouting), (_, _, j, _) => new VariationalBayesRouting(j), ScoreKind.Activation, "cross-entropy",
            (activations, labels, _) => F.capsule_cross_entropy(activations, labels)),
    ];
}

/// <summary>What a class is read from.</summary>
internal enum ScoreKind
{
    /// <summary>The activations that the routing gives, or the lengths of the class capsules.</summary>
    Activation,

    /// <summary>One linear layer on every class capsule, shared by all, for capsules without an activation.</summary>
    Classifier,
}
