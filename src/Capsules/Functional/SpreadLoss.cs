using static Capsules.Arithmetic;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Capsules;

public static partial class Functional
{
    /// <summary>The spread loss on activations: the target class must be more active than any other by a margin.</summary>
    /// <remarks>
    /// <para>L = sum over wrong classes j of max(0, m - (a_t - a_j))^2.</para>
    /// <para>Hinton, Sabour, Frosst, "Matrix Capsules with EM Routing", ICLR 2018. The margin starts at 0.2, so that few
    /// capsules die early, and grows: see <see cref="SpreadLoss.LinearMargin"/> and <see cref="SpreadLoss.SigmoidMargin"/>.</para>
    /// </remarks>
    /// <param name="activations">Activations (B, J), usually in [0, 1]; lengths where a capsule has no activation of its own.</param>
    /// <param name="target">Int64 labels (B).</param>
    /// <param name="margin">m, in (0, 1]. Default: 0.9, the paper's last.</param>
    /// <param name="reduction">Over the batch: mean (default), sum, or none, which gives (B).</param>
    /// <param name="weight">
    /// Weights of the classes (J), for rare ones, like the activations and without gradient: a sample's loss is multiplied by its target's,
    /// and the mean is the sum of that divided by the sum of the targets' weights, as in torch's cross-entropy. Default: all 1.
    /// </param>
    /// <returns>A scalar, or (B) without reduction, in the dtype of <paramref name="activations"/>.</returns>
    /// <exception cref="ArgumentException">A shape, dtype, device or label does not fit.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="margin"/> is not in (0, 1].</exception>
    public static Tensor spread_loss(
        Tensor activations, Tensor target, double margin = 0.9, Reduction reduction = Reduction.Mean, Tensor? weight = null)
    {
        CheckSpreadMargin(margin);
        CheckActivations(nameof(spread_loss), activations, target);
        CheckClassWeight(nameof(spread_loss), weight, activations, nameof(activations));
        using var scope = NewDisposeScope();
        var a = Wide(activations);
        var labels = target.unsqueeze(1);                                                    // (B, 1)
        var others = OneHot(labels, a.size(1), ScalarType.Bool).logical_not();               // (B, J)
        var excess = AtLeast(Plus(a - a.gather(1, labels), margin), 0);                  // max(0, m - (a_t - a_j))
        var loss = (Square(excess) * others.to_type(a.dtype)).sum(dim: 1);
        return Reduce(loss, reduction, target, weight).to_type(activations.dtype).MoveToOuterDisposeScope();
    }

    internal static void CheckSpreadMargin(double margin)
    {
        if (!(margin > 0 && margin <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(margin), margin, "margin must be above 0 and at most 1.");
        }
    }

    // Activations (B, J) with at least one class, and Int64 labels (B) that fit them.
    private static void CheckActivations(string owner, Tensor activations, Tensor target)
    {
        ShapeGuard.Shape(owner, activations, nameof(activations), "B, J", [ShapeGuard.Any, ShapeGuard.Any],
            shape => shape.Length == 3 ? "Give one number per capsule, as Functional.length(capsules)." : null);
        ShapeGuard.Floating(owner, activations, nameof(activations));
        ShapeGuard.Shape(owner, target, nameof(target), "B", [activations.size(0)],
            _ => "The target is one Int64 label a sample.", activations);
        ShapeGuard.SameDevice(owner, target, nameof(target), activations.device, nameof(activations));
        ShapeGuard.Labels(owner, target, nameof(target), activations.size(1));
    }
}
