using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Capsules;

/// <summary>Cross-entropy on capsules' activations: <see cref="Functional.capsule_cross_entropy"/> as a loss module.</summary>
public sealed class CapsuleCrossEntropyLoss : Loss<Tensor, Tensor, Tensor>
{
    private Tensor? weight;

    /// <summary>Makes the loss.</summary>
    /// <param name="probabilities">Whether activations are probabilities over the classes rather than logits. Default: false.</param>
    /// <param name="reduction">Over the batch. Default: mean.</param>
    /// <param name="weight">Weights of the classes (J), of which a copy becomes a buffer of this module. Default: all 1.</param>
    public CapsuleCrossEntropyLoss(bool probabilities = false, Reduction reduction = Reduction.Mean, Tensor? weight = null) : base(reduction)
    {
        Probabilities = probabilities;
        this.weight = weight?.clone().DetachFromDisposeScope();
        RegisterComponents();
    }

    /// <summary>Whether activations are probabilities over the classes rather than logits.</summary>
    public bool Probabilities { get; }

    /// <summary>The weights of the classes (J), or null.</summary>
    public Tensor? Weight => weight;

    /// <summary>Measures activations against the classes that are there.</summary>
    /// <param name="input">Logits or activations (B, J).</param>
    /// <param name="target">Int64 labels (B).</param>
    /// <returns>A scalar, or (B) without reduction.</returns>
    public override Tensor forward(Tensor input, Tensor target) =>
        Functional.capsule_cross_entropy(input, target, Probabilities, reduction, weight);
}
