using static Capsules.Arithmetic;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Capsules;

public static partial class Functional
{
    /// <summary>The margin loss on capsule lengths.</summary>
    /// <remarks>
    /// <para>L = sum_j T_j max(0, m+ - |v_j|)^2 + lambda (1 - T_j) max(0, |v_j| - m-)^2, where T_j is 1 when class j is
    /// present; several classes may be.</para>
    /// <para>Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, equation 4. The authors' code halves it and
    /// averages over classes (<see cref="Preset.OfficialCode"/>): 1 / (2 J) of the paper's.</para>
    /// </remarks>
    /// <param name="lengths">Capsule lengths (B, J), in [0, 1).</param>
    /// <param name="target">Int64 labels (B), or presence of each class (B, J) with values in {0, 1} of any dtype.</param>
    /// <param name="positiveMargin">m+, the length that a present class should reach. Default: 0.9.</param>
    /// <param name="negativeMargin">m-, the length that an absent class may keep. Default: 0.1.</param>
    /// <param name="negativeWeight">lambda, the weight of absent classes, at least 0. Default: 0.5.</param>
    /// <param name="preset">The scale: the paper's sum over classes (default), or the authors' code.</param>
    /// <param name="reduction">Over the batch: mean (default), sum, or none, which gives (B).</param>
    /// <param name="weight">
    /// Weights of the classes (J), for rare ones, like the lengths and without gradient: w_j multiplies class j's term of the sum, present
    /// or absent. The mean stays that over the batch. Default: all 1.
    /// </param>
    /// <returns>A scalar, or (B) without reduction, in the dtype of <paramref name="lengths"/>.</returns>
    /// <exception cref="ArgumentException">A shape, dtype, device or label does not fit.</exception>
    /// <exception cref="ArgumentOutOfRangeException">
    /// <paramref name="negativeWeight"/> is negative or infinite, or the margins are not 0 &lt;= m- &lt;= m+ &lt;= 1.
    /// </exception>
    public static Tensor margin_loss(
        Tensor lengths,
        Tensor target,
        double positiveMargin = 0.9,
        double negativeMargin = 0.1,
        double negativeWeight = 0.5,
        Preset preset = Preset.Paper,
        Reduction reduction = Reduction.Mean,
        Tensor? weight = null)
    {
        CheckMargins(positiveMargin, negativeMargin, negativeWeight);
        ShapeGuard.Shape(nameof(margin_loss), lengths, nameof(lengths), "B, J", [ShapeGuard.Any, ShapeGuard.Any],
            shape => shape.Length == 3 ? "Give the lengths of the capsules: Functional.length(capsules)." : null);
        ShapeGuard.Floating(nameof(margin_loss), lengths, nameof(lengths));
        if (lengths.size(1) == 0)
        {
            throw new ArgumentException("margin_loss expected at least one class, but lengths are of none.", nameof(lengths));
        }

        CheckClassWeight(nameof(margin_loss), weight, lengths, nameof(lengths));
        using var scope = NewDisposeScope();
        var wide = Wide(lengths);
        var presence = Presence(wide, target);
        var present = Square(AtLeast(Plus(wide.neg(), positiveMargin), 0));      // max(0, m+ - |v|)^2
        var absent = Square(AtLeast(Plus(wide, -negativeMargin), 0));            // max(0, |v| - m-)^2
        var terms = Plus(presence * present, Times(Plus(presence.neg(), 1) * absent, negativeWeight));      // (B, J)
        var loss = (weight is null ? terms : terms * Wide(weight)).sum(dim: 1);
        if (preset == Preset.OfficialCode)
        {
            loss = Times(loss, 0.5 / lengths.size(1));
        }

        return Reduce(loss, reduction).to_type(lengths.dtype).MoveToOuterDisposeScope();
    }

    internal static void CheckMargins(double positiveMargin, double negativeMargin, double negativeWeight)
    {
        if (!(0 <= negativeMargin && negativeMargin <= positiveMargin && positiveMargin <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(positiveMargin),
                $"The margins must satisfy 0 <= negativeMargin <= positiveMargin <= 1, but got {negativeMargin} and {positiveMargin}.");
        }

        if (!(negativeWeight >= 0 && double.IsFinite(negativeWeight)))
        {
            throw new ArgumentOutOfRangeException(nameof(negativeWeight), negativeWeight, "negativeWeight must be finite and at least 0.");
        }
    }

    // Labels (B) or presence (B, J) to presence (B, J) in the dtype of the lengths.
    private static Tensor Presence(Tensor lengths, Tensor target)
    {
        ShapeGuard.SameDevice(nameof(margin_loss), target, nameof(target), lengths.device, nameof(lengths));
        var (batch, classes) = (lengths.size(0), lengths.size(1));
        if (target.dim() != 1)
        {
            ShapeGuard.Shape(nameof(margin_loss), target, nameof(target), "B, J", [batch, classes],
                _ => "Give Int64 labels (B) or presence (B, J).", lengths);
            ShapeGuard.Range(nameof(margin_loss), target, nameof(target), 0, 1, "where 1 is a class that is present");
            return target.to_type(lengths.dtype);
        }

        ShapeGuard.Shape(nameof(margin_loss), target, nameof(target), "B", [batch], like: lengths);
        ShapeGuard.Labels(nameof(margin_loss), target, nameof(target), classes);
        return OneHot(target.unsqueeze(1), classes, lengths.dtype);
    }
}
