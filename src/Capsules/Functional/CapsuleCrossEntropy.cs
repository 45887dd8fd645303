using static Capsules.Arithmetic;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Capsules;

public static partial class Functional
{
    /// <summary>Cross-entropy on capsules' activations.</summary>
    /// <remarks>
    /// <para>L = -log p_t, where p is the softmax of the activations, as with logits, or, where they are probabilities already, p = a.
    /// The first is what variational-Bayes capsules (Ribeiro, Leontidis, Kollias 2020) use on activations in [0, 1], and
    /// inverted dot-product routing (Tsai et al. 2020) on logits; the second is the loss of self-routing (Hahn, Pyeon, Kim 2019), whose
    /// activations sum to 1.</para>
    /// <para>Activations in [0, 1] as logits are a soft target: with J classes the loss does not fall below
    /// log(1 + (J - 1) / e), 1.461 for ten.</para>
    /// </remarks>
    /// <param name="activations">
    /// Logits, lengths or activations (B, J); with <paramref name="probabilities"/>, probabilities in [0, 1].
    /// </param>
    /// <param name="target">Int64 labels (B).</param>
    /// <param name="probabilities">
    /// Whether activations are probabilities over the classes rather than logits. Default: false. A probability below 1e-12 counts as
    /// 1e-12, where the gradient is 0.
    /// </param>
    /// <param name="reduction">Over the batch: mean (default), sum, or none, which gives (B).</param>
    /// <param name="weight">
    /// Weights of the classes (J), for rare ones, like the activations and without gradient: a sample's loss is multiplied by its target's,
    /// and the mean is the sum of that divided by the sum of the targets' weights, as in torch's cross-entropy. Default: all 1.
    /// </param>
    /// <returns>A scalar, or (B) without reduction, in the dtype of <paramref name="activations"/>.</returns>
    /// <exception cref="ArgumentException">A shape, dtype, device or label does not fit.</exception>
    public static Tensor capsule_cross_entropy(
        Tensor activations, Tensor target, bool probabilities = false, Reduction reduction = Reduction.Mean, Tensor? weight = null)
    {
        CheckActivations(nameof(capsule_cross_entropy), activations, target);
        CheckClassWeight(nameof(capsule_cross_entropy), weight, activations, nameof(activations));
        using var scope = NewDisposeScope();
        var a = Wide(activations);
        var logs = probabilities ? AtLeast(a, 1e-12).log() : nn.functional.log_softmax(a, dim: 1);
        var loss = logs.gather(1, target.unsqueeze(1)).squeeze(1).neg();
        return Reduce(loss, reduction, target, weight).to_type(activations.dtype).MoveToOuterDisposeScope();
    }
}
