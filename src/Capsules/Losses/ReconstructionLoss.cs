using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Capsules;

/// <summary>The weighted sum of squared reconstruction errors: <see cref="Functional.reconstruction_loss"/> as a loss module.</summary>
/// <remarks>
/// <para>Both presets use this loss with the weight 0.0005. Against the margin loss of <see cref="Preset.OfficialCode"/>,
/// which is 1 / (2 J) of the paper's, it weighs 2 J times as much.</para>
/// </remarks>
public sealed class ReconstructionLoss : Loss<Tensor, Tensor, Tensor>
{
    /// <summary>Makes the loss.</summary>
    /// <param name="weight">The factor on the sum of squares, at least 0. Default: 0.0005.</param>
    /// <param name="reduction">Over the batch. Default: mean.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="weight"/> is negative.</exception>
    public ReconstructionLoss(double weight = 0.0005, Reduction reduction = Reduction.Mean) : base(reduction)
    {
        Functional.CheckReconstructionWeight(weight);
        Weight = weight;
    }

    /// <summary>The factor on the sum of squares.</summary>
    public double Weight { get; }

    /// <summary>Measures reconstructions against images.</summary>
    /// <param name="input">Reconstructions (B, ...).</param>
    /// <param name="target">Images of the same shape.</param>
    /// <returns>A scalar, or (B) without reduction.</returns>
    public override Tensor forward(Tensor input, Tensor target) =>
        Functional.reconstruction_loss(input, target, Weight, reduction);
}
