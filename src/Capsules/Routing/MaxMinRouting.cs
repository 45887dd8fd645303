using static TorchSharp.torch;

namespace Capsules;

/// <summary>Dynamic routing with max-min normalisation in place of the softmax.</summary>
/// <remarks>
/// <para>b_ij = 0; c_ij = upper; repeat: s_j = sum_i c_ij u_hat_ij + bias_j; v_j = squash(s_j); b_ij += the scalar product of u_hat_ij
/// and v_j; c_ij = lower + (upper - lower) (b_ij - min_j b_ij) / (max_j b_ij - min_j b_ij).</para>
/// <para>An input capsule's coefficients lie between the bounds, each for itself: they do not sum to 1, and their range does not
/// depend on how long the votes are. Where all of its logits are equal, as before the first agreement, it couples with
/// <c>upper</c> throughout.</para>
/// <para>As in <see cref="DynamicRouting"/>, logits are made from one running sum of v: votes are never built.</para>
/// <para>Zhao, Kleinhans, Sandhu, Patel, Unnikrishnan, "Capsule Networks with Max-Min Normalization", 2019.
/// https://arxiv.org/abs/1903.09662</para>
/// </remarks>
public sealed class MaxMinRouting : Routing
{
    // Below this a range counts as 0: its reciprocal, which the gradient takes, would leave float32.
    private const double Least = 1e-30;

    /// <summary>Makes the algorithm.</summary>
    /// <param name="iterations">Routing iterations, at least 1. Default: 3.</param>
    /// <param name="lower">The least coefficient. Default: 0.</param>
    /// <param name="upper">The largest coefficient, above <paramref name="lower"/>. Default: 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public MaxMinRouting(int iterations = 3, double lower = 0, double upper = 1) : base(nameof(MaxMinRouting))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(iterations, 1);
        if (!(lower < upper && double.IsFinite(lower) && double.IsFinite(upper)))
        {
            throw new ArgumentOutOfRangeException(
                nameof(upper), upper, $"MaxMinRouting expected finite bounds with lower < upper, but got {lower} and {upper}.");
        }

        (Iterations, Lower, Upper) = (iterations, lower, upper);
    }

    /// <summary>Routing iterations.</summary>
    public int Iterations { get; }

    /// <summary>The least coefficient.</summary>
    public double Lower { get; }

    /// <summary>The largest coefficient.</summary>
    public double Upper { get; }

    /// <inheritdoc/>
    public override RoutingInputs Uses => RoutingInputs.Bias;

    /// <inheritdoc/>
    /// <remarks>The larger bound: J times that of a softmax, with whose initial weights all outputs would saturate.</remarks>
    public override double InitialCoupling(long outCapsules) => Math.Max(Math.Abs(Upper), Math.Abs(Lower));

    /// <inheritdoc/>
    public override RoutingResult Route(
        Votes votes, Tensor? bias = null, Tensor? logits = null, Tensor? activations = null, bool coupling = false)
    {
        CheckArguments(votes, bias, logits, activations);
        using var scope = NewDisposeScope();
        var v = Squashed(Arithmetic.Times(votes.Sum(), Upper), bias);
        Tensor? c = null, sum = null;
        for (var t = 1; t < Iterations; t++)
        {
            sum = sum is null ? v : Arithmetic.Plus(sum, v);
            c = MaxMin(votes.Agreement(sum));
            v = Squashed(votes.WeightedSum(c), bias);
        }

        c = !coupling ? null : c is null ? votes.UniformCoupling(Upper) : votes.Present(c);
        return new RoutingResult(v, coupling: c).MoveToOuterDisposeScope();
    }

    private Tensor MaxMin(Tensor logits)
    {
        var lowest = logits.amin([-1], keepdim: true);
        var range = logits.amax([-1], keepdim: true) - lowest;
        using var least = Least.ToScalar();
        var equal = range.lt(least);
        var above = (logits - lowest) / where(equal, ones_like(range), range);
        var share = where(equal, ones_like(above), above);
        return Arithmetic.Plus(Arithmetic.Times(share, Upper - Lower), Lower);
    }
}
