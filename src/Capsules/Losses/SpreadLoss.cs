using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Capsules;

/// <summary>The spread loss: <see cref="Functional.spread_loss"/> as a loss module, with a margin that training raises.</summary>
/// <remarks>
/// <para><c>loss.Margin = SpreadLoss.LinearMargin(epoch / 10.0);</c> before each epoch, or
/// <c>loss.Margin = SpreadLoss.SigmoidMargin(step);</c> before each step. No other thread may use the loss meanwhile.</para>
/// <para>Hinton, Sabour, Frosst, "Matrix Capsules with EM Routing", ICLR 2018.</para>
/// </remarks>
public sealed class SpreadLoss : Loss<Tensor, Tensor, Tensor>
{
    private Tensor? weight;

    /// <summary>Makes the loss.</summary>
    /// <param name="margin">m, in (0, 1]. Default: 0.2, with which training starts.</param>
    /// <param name="reduction">Over the batch. Default: mean.</param>
    /// <param name="weight">Weights of the classes (J), of which a copy becomes a buffer of this module. Default: all 1.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="margin"/> is not in (0, 1].</exception>
    public SpreadLoss(double margin = 0.2, Reduction reduction = Reduction.Mean, Tensor? weight = null) : base(reduction)
    {
        Margin = margin;
        this.weight = weight?.clone().DetachFromDisposeScope();
        RegisterComponents();
    }

    /// <summary>m, by how much the target must exceed every other class, in (0, 1].</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is not in (0, 1].</exception>
    public double Margin
    {
        get;
        set
        {
            Functional.CheckSpreadMargin(value);
            field = value;
        }
    }

    /// <summary>The weights of the classes (J), or null.</summary>
    public Tensor? Weight => weight;

    /// <summary>The paper's schedule: from 0.2 to 0.9, linearly. The paper does not say over how many steps.</summary>
    /// <param name="progress">How much of the raising is behind, from 0; from 1 on the margin stays at 0.9.</param>
    /// <returns>The margin, in [0.2, 0.9].</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="progress"/> is negative or not a number.</exception>
    public static double LinearMargin(double progress) => progress >= 0
        ? 0.2 + 0.7 * Math.Min(progress, 1)
        : throw new ArgumentOutOfRangeException(nameof(progress), progress, "progress must be at least 0.");

    /// <summary>
    /// The schedule of the authors, as they gave it in the discussion of their paper (OpenReview, HJWLfGWRb) for batches of 64:
    /// 0.2 + 0.79 / (1 + exp(-min(10, step / 50000 - 4))).
    /// </summary>
    /// <param name="step">The step, counted from 0. With another batch size give step * batch / 64.</param>
    /// <returns>The margin, in (0.2, 0.99).</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="step"/> is negative.</exception>
    public static double SigmoidMargin(long step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        return 0.2 + 0.79 / (1 + Math.Exp(-Math.Min(10, step / 50_000.0 - 4)));
    }

    /// <summary>Measures activations against the classes that are there.</summary>
    /// <param name="input">Activations (B, J).</param>
    /// <param name="target">Int64 labels (B).</param>
    /// <returns>A scalar, or (B) without reduction.</returns>
    public override Tensor forward(Tensor input, Tensor target) => Functional.spread_loss(input, target, Margin, reduction, weight);
}
