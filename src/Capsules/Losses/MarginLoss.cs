using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Capsules;

/// <summary>The margin loss on capsule lengths: <see cref="Functional.margin_loss"/> as a loss module.</summary>
/// <remarks>
/// <para>Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, equation 4. <see cref="Preset.Paper"/> sums over
/// classes; <see cref="Preset.OfficialCode"/> is 1 / (2 J) of that.</para>
/// </remarks>
public sealed class MarginLoss : Loss<Tensor, Tensor, Tensor>
{
    private Tensor? weight;

    /// <summary>Makes the loss.</summary>
    /// <param name="positiveMargin">m+, the length that a present class should reach. Default: 0.9.</param>
    /// <param name="negativeMargin">m-, the length that an absent class may keep. Default: 0.1.</param>
    /// <param name="negativeWeight">lambda, the weight of absent classes, at least 0. Default: 0.5.</param>
    /// <param name="preset">The scale: the paper's sum over classes (default), or the authors' code.</param>
    /// <param name="reduction">Over the batch. Default: mean.</param>
    /// <param name="weight">Weights of the classes (J), of which a copy becomes a buffer of this module. Default: all 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The margins are not 0 &lt;= m- &lt;= m+ &lt;= 1, or lambda is negative.</exception>
    public MarginLoss(
        double positiveMargin = 0.9,
        double negativeMargin = 0.1,
        double negativeWeight = 0.5,
        Preset preset = Preset.Paper,
        Reduction reduction = Reduction.Mean,
        Tensor? weight = null) : base(reduction)
    {
        Functional.CheckMargins(positiveMargin, negativeMargin, negativeWeight);
        (PositiveMargin, NegativeMargin, NegativeWeight, Preset) = (positiveMargin, negativeMargin, negativeWeight, preset);
        this.weight = weight?.clone().DetachFromDisposeScope();
        RegisterComponents();
    }

    /// <summary>m+, the length that a present class should reach.</summary>
    public double PositiveMargin { get; }

    /// <summary>m-, the length that an absent class may keep.</summary>
    public double NegativeMargin { get; }

    /// <summary>lambda, the weight of absent classes.</summary>
    public double NegativeWeight { get; }

    /// <summary>The scale of the loss.</summary>
    public Preset Preset { get; }

    /// <summary>The weights of the classes (J), or null.</summary>
    public Tensor? Weight => weight;

    /// <summary>Measures lengths against what is present.</summary>
    /// <param name="input">Capsule lengths (B, J).</param>
    /// <param name="target">Int64 labels (B), or presence (B, J) in {0, 1}.</param>
    /// <returns>A scalar, or (B) without reduction.</returns>
    public override Tensor forward(Tensor input, Tensor target) =>
        Functional.margin_loss(input, target, PositiveMargin, NegativeMargin, NegativeWeight, Preset, reduction, weight);
}
