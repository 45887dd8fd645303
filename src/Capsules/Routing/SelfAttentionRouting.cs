using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>
/// Self-attention routing, of Efficient-CapsNet: one pass in which every vote is weighed by its agreement with all votes.
/// </summary>
/// <remarks>
/// <para>
/// a_ij = the scalar product of u_hat_ij and sum_k u_hat_kj, divided by sqrt(E); c_i = softmax over output capsules j of a_i, plus
/// prior_i; s_j = sum_i c_ij u_hat_ij + bias_j; v_j = exponential_squash(s_j).
/// </para>
/// <para>The paper sums a self-attention matrix (N, N) of every output capsule over one of its sides. That sum is the agreement with
/// the sum of all votes, so here neither that matrix nor the votes are built, and the cost is linear in N.</para>
/// <para>The learned prior is added after the softmax, so rows of the coupling coefficients need not sum to 1, and a coefficient
/// may be negative.</para>
/// <para>State dict: <c>prior</c> (N, J) where there is one.</para>
/// <para>Mazzia, Salvetti, Chiaberge, "Efficient-CapsNet: Capsule Network with Self-Attention Routing", 2021.
/// https://arxiv.org/abs/2101.12491</para>
/// </remarks>
public sealed class SelfAttentionRouting : Routing
{
    private Parameter? prior;

    /// <summary>Makes the algorithm without a prior: it then has no parameters and fits any number of capsules.</summary>
    public SelfAttentionRouting() : base(nameof(SelfAttentionRouting))
    {
    }

    /// <summary>Makes the algorithm with the paper's learned prior, zero at first.</summary>
    /// <param name="inCapsules">N, the input capsules, at least 1.</param>
    /// <param name="outCapsules">J, the output capsules, at least 1.</param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of its range.</exception>
    /// <exception cref="ArgumentException">The dtype is not floating-point.</exception>
    public SelfAttentionRouting(long inCapsules, long outCapsules, Device? device = null, ScalarType? dtype = null)
        : base(nameof(SelfAttentionRouting))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(inCapsules, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(outCapsules, 1);
        ShapeGuard.ParameterDtype(nameof(SelfAttentionRouting), dtype);
        prior = Initialize.Parameter([inCapsules, outCapsules], device, dtype, p => nn.init.zeros_(p));
        RegisterComponents();
        if (device is not null)
        {
            (_deviceType, _deviceIndex) = (device.type, device.index);
        }
    }

    /// <inheritdoc/>
    public override RoutingInputs Uses => RoutingInputs.Bias | RoutingInputs.Logits;

    /// <inheritdoc/>
    /// <remarks>
    /// Logits are added to the agreement under the softmax. An input capsule that they keep from an output capsule still takes part
    /// in the sum that all are compared with; a zero vector takes part in nothing.
    /// </remarks>
    public override RoutingResult Route(
        Votes votes, Tensor? bias = null, Tensor? logits = null, Tensor? activations = null, bool coupling = false)
    {
        CheckArguments(votes, bias, logits, activations);
        CheckPrior(votes);
        using var scope = NewDisposeScope();
        var agreement = Arithmetic.Times(votes.Agreement(votes.Sum()), 1 / Math.Sqrt(votes.OutDim));
        if (Present(votes, logits) is { } given)
        {
            agreement = Arithmetic.Plus(agreement, Functional.Wide(given));
        }

        var c = nn.functional.softmax(agreement, dim: -1);      // over the OUTPUT capsules
        c = prior is null ? c : Arithmetic.Plus(c, Functional.Wide(prior));
        var s = votes.WeightedSum(c);
        var v = Functional.exponential_squash(Biased(s, bias));
        return new RoutingResult(v, coupling: coupling ? votes.Present(c) : null).MoveToOuterDisposeScope();
    }

    private void CheckPrior(Votes votes)
    {
        if (prior is null)
        {
            return;
        }

        var (n, j) = (prior.size(0), prior.size(1));
        if ((n, j) != (votes.InCapsules, votes.OutCapsules))
        {
            throw new ArgumentException(
                $"SelfAttentionRouting has a prior (N, J) = ({n}, {j}), but the votes are of {votes.InCapsules} input and " +
                $"{votes.OutCapsules} output capsules. Make it with inCapsules: {votes.InCapsules}, outCapsules: {votes.OutCapsules}.",
                nameof(votes));
        }

        votes.CheckLike(GetName(), prior, nameof(prior));
    }
}
