using static TorchSharp.torch;

namespace Capsules;

/// <summary>No routing: every input capsule couples to all output capsules alike.</summary>
/// <remarks>
/// <para>c_ij = 1 / J; v_j = squash(sum_i c_ij u_hat_ij + bias_j). One matrix product; votes are never built. The same as
/// <see cref="DynamicRouting"/> with 0 iterations, and the baseline that any routing has to beat.</para>
/// <para>Gu, Tresp, "Improving the Robustness of Capsule Networks to Image Affine Transformations", 2020, does without routing in
/// this way. https://arxiv.org/abs/1911.07968</para>
/// </remarks>
public sealed class UniformRouting : Routing
{
    /// <summary>Makes the algorithm.</summary>
    public UniformRouting() : base(nameof(UniformRouting))
    {
    }

    /// <inheritdoc/>
    public override RoutingInputs Uses => RoutingInputs.Bias;

    /// <inheritdoc/>
    public override RoutingResult Route(
        Votes votes, Tensor? bias = null, Tensor? logits = null, Tensor? activations = null, bool coupling = false)
    {
        CheckArguments(votes, bias, logits, activations);
        using var scope = NewDisposeScope();
        var share = 1.0 / votes.OutCapsules;
        var s = Arithmetic.Times(votes.Sum(), share);
        var v = Squashed(s, bias);
        return new RoutingResult(v, coupling: coupling ? votes.UniformCoupling(share) : null).MoveToOuterDisposeScope();
    }
}
