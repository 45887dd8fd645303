using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>Self-routing: every input capsule decides by itself, with weights of its own, where it belongs. No iterations.</summary>
/// <remarks>
/// <para>r_i = softmax over output capsules j of (u_i W2_i + b2_i); a_j = sum_i a_i r_ij / sum_i a_i;
/// v_j = sum_i a_i r_ij u_hat_ij / sum_i a_i r_ij. Input capsules do not look at each other: there is no routing by agreement.
/// Votes are never built.</para>
/// <para>State dict: <c>weight</c> (G, D, J) and <c>bias</c> (G, J), zero at first: all couple alike. G is N, or divides N: then N / G
/// consecutive input capsules share them.</para>
/// <para>The activations (B, J) sum to 1: the paper trains with the negative log likelihood of their logarithms.</para>
/// <para>Hahn, Pyeon, Kim, "Self-Routing Capsule Networks", 2019, section 3, and its authors' code.</para>
/// </remarks>
public sealed class SelfRouting : Routing
{
    private Parameter weight;

    private Parameter bias;

    /// <summary>Makes the algorithm for a layer.</summary>
    /// <param name="inCapsules">
    /// G: the layer's input capsules N, or a divisor for shared weights; kernel positions times types in a convolutional layer, types in
    /// a class capsule layer.
    /// </param>
    /// <param name="inDim">D, the dimension of an input capsule; P * P for matrix capsules.</param>
    /// <param name="outCapsules">J, the output capsules, or output capsule types.</param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is less than 1.</exception>
    /// <exception cref="ArgumentException">The dtype is not floating-point.</exception>
    public SelfRouting(long inCapsules, long inDim, long outCapsules, Device? device = null, ScalarType? dtype = null)
        : base(nameof(SelfRouting))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(inCapsules, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(inDim, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(outCapsules, 1);
        ShapeGuard.ParameterDtype(nameof(SelfRouting), dtype);
        weight = Initialize.Parameter([inCapsules, inDim, outCapsules], device, dtype, w => nn.init.zeros_(w));
        bias = Initialize.Parameter([inCapsules, outCapsules], device, dtype, b => nn.init.zeros_(b));
        RegisterComponents();
        if (device is not null)
        {
            (_deviceType, _deviceIndex) = (device.type, device.index);
        }
    }

    /// <inheritdoc/>
    public override RoutingInputs Uses => RoutingInputs.Activations;

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A shape does not fit, or the votes do not know their input capsules.</exception>
    public override RoutingResult Route(
        Votes votes, Tensor? bias = null, Tensor? logits = null, Tensor? activations = null, bool coupling = false)
    {
        CheckArguments(votes, bias, logits, activations);
        var groups = weight.size(0);
        CheckOutputs(votes, weight.size(2));
        if (votes.Input is not { } input || input.size(2) != weight.size(1) || votes.InCapsules % groups != 0)
        {
            var actual = votes.Input is null ? "the votes do not know theirs" : $"got {ShapeGuard.Text(votes.Input.shape)}";
            throw new ArgumentException(
                $"SelfRouting expected input capsules of shape (B, N, D) = (*, {groups} or a multiple, {weight.size(1)}), but {actual}. " +
                "Make it with the sizes of its layer.", nameof(votes));
        }

        votes.CheckLike(GetName(), weight, nameof(weight));
        using var scope = NewDisposeScope();
        var grouped = Functional.Wide(input).reshape(votes.Batch, groups, votes.InCapsules / groups, input.size(2));
        var own = Arithmetic.Plus(einsum("bgpd,gdj->bgpj", grouped, Functional.Wide(weight)), Functional.Wide(this.bias).unsqueeze(1));
        var r = nn.functional.softmax(own.reshape(votes.Batch, votes.InCapsules, votes.OutCapsules), dim: -1);
        var a = votes.Weights(activations);
        var shares = a.unsqueeze(-1) * r;      // (B, N, J)
        var sums = shares.sum(1);
        var poses = votes.WeightedSum(shares) / NotZero(sums).unsqueeze(-1);
        var activation = sums / NotZero(a.sum(1)).unsqueeze(-1);
        return new RoutingResult(poses, activation, coupling ? votes.Present(r) : null).MoveToOuterDisposeScope();
    }

    // Nobody there: poses and activations are then 0.
    private static Tensor NotZero(Tensor sums) => Arithmetic.Plus(sums, 1e-20);
}
