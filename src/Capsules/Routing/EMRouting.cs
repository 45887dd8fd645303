using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>EM routing: output capsules are Gaussians, fitted to the votes by expectation maximisation.</summary>
/// <remarks>
/// <para>R_ij = 1 / parents of i; repeat T times, with lambda = finalLambda (1 - 0.95^t), t = 1 ... T:
/// M step: mu_jh and var_jh, mean and variance of entry h of the votes, weighted by R_ij a_i;
/// cost_jh = (beta_u_j + ln(var_jh) / 2) sum_i R_ij a_i; a_j = sigmoid(lambda (beta_a_j - sum_h cost_jh)).
/// E step, but for the last time: R_i = softmax over all parents j of (ln a_j + ln N(u_hat_ij; mu_j, var_j)).
/// The capsules are mu_j with the activations a_j. The gradient goes through all of it.</para>
/// <para>All in log space: the paper's product of 16 densities leaves float32 otherwise. In a convolutional layer the softmax runs
/// over the parents at all positions that see a child (<see cref="Votes.Softmax"/>); over one position's only, which several
/// implementations do, positions do not compete.</para>
/// <para>State dict: <c>beta_u</c> and <c>beta_a</c> (J), one of each per output capsule type; zero at first.</para>
/// <para>Builds the votes: a variance needs each of them.</para>
/// <para>Hinton, Sabour, Frosst, "Matrix capsules with EM routing", 2018, procedure 1. https://openreview.net/forum?id=HJWLfGWRb. The
/// schedule of lambda is the authors', from the discussion there; the guards (1e-9 in divisions and added to variances) and the
/// optional normalisation of the cost are those of Gritzman, "Avoiding Implementation Pitfalls of Matrix Capsules with EM
/// Routing", 2019. https://arxiv.org/abs/1907.00652</para>
/// </remarks>
public sealed class EMRouting : Routing
{
    private const double Least = 1e-9;

    private Parameter beta_u;

    private Parameter beta_a;

    /// <summary>Makes the algorithm for a layer.</summary>
    /// <param name="outCapsules">J, the output capsules, or output capsule types, at least 1.</param>
    /// <param name="iterations">Iterations T, at least 1. Default: 3, as in the paper.</param>
    /// <param name="finalLambda">What the inverse temperature lambda tends to, above 0. Default: 0.01, as the authors used.</param>
    /// <param name="normalizeCost">
    /// Whether costs are multiplied by 100 J / N, N being the input capsules that are there, so that one lambda suits layers whose
    /// parents have few or many children. Default: false, as in the paper; Gritzman's implementation does.
    /// </param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    /// <exception cref="ArgumentException">The dtype is not floating-point.</exception>
    public EMRouting(
        long outCapsules,
        int iterations = 3,
        double finalLambda = 0.01,
        bool normalizeCost = false,
        Device? device = null,
        ScalarType? dtype = null)
        : base(nameof(EMRouting))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(outCapsules, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(iterations, 1);
        if (!(finalLambda > 0 && double.IsFinite(finalLambda)))
        {
            throw new ArgumentOutOfRangeException(
                nameof(finalLambda), finalLambda, "finalLambda must be finite and above 0. The authors used 0.01.");
        }

        ShapeGuard.ParameterDtype(nameof(EMRouting), dtype);
        (Iterations, FinalLambda, NormalizeCost) = (iterations, finalLambda, normalizeCost);
        beta_u = Initialize.Parameter([outCapsules], device, dtype, b => nn.init.zeros_(b));
        beta_a = Initialize.Parameter([outCapsules], device, dtype, b => nn.init.zeros_(b));
        RegisterComponents();
        if (device is not null)
        {
            (_deviceType, _deviceIndex) = (device.type, device.index);
        }
    }

    /// <summary>Iterations T.</summary>
    public int Iterations { get; }

    /// <summary>What the inverse temperature tends to.</summary>
    public double FinalLambda { get; }

    /// <summary>Whether costs are multiplied by 100 J / N.</summary>
    public bool NormalizeCost { get; }

    /// <inheritdoc/>
    public override RoutingInputs Uses => RoutingInputs.Activations;

    /// <inheritdoc/>
    public override RoutingResult Route(
        Votes votes, Tensor? bias = null, Tensor? logits = null, Tensor? activations = null, bool coupling = false)
    {
        CheckArguments(votes, bias, logits, activations);
        CheckOutputs(votes, beta_a.size(0));
        ShapeGuard.SameDevice(GetName(), beta_a, nameof(beta_a), votes.Device, "the votes");
        using var scope = NewDisposeScope();
        var v = votes.Materialize().transpose(1, 2).contiguous();      // (B, J, N, E): each output capsule's votes are a matrix
        var a = votes.Weights(activations).unsqueeze(-1);
        var r = votes.Softmax(zeros([votes.Batch, votes.InCapsules, votes.OutCapsules], votes.Dtype, votes.Device));
        var present = NormalizeCost ? Arithmetic.AtLeast(votes.Weights().sum(1, keepdim: true), 1) : null;      // (B, 1): how many are there
        for (var t = 1; ; t++)
        {
            var fit = Maximise(v, r * a, present, t);
            if (t == Iterations)
            {
                return new RoutingResult(fit.Mean, fit.LogActivation().exp(), coupling ? votes.Present(r) : null).MoveToOuterDisposeScope();
            }

            r = votes.Softmax(Arithmetic.Plus(fit.LogDensity(), fit.LogActivation().unsqueeze(1)));
        }
    }

    // The Gaussians of the votes under the weights (B, N, J), with costs divided by how many votes are present, or not.
    // One that has nearly all its weight from one vote has its mean next to that vote. The small difference, which gradients through the
    // variance divide by that variance, would be lost to rounding were the mean subtracted from the vote. So votes are taken from a
    // constant near the mean, and what the mean is shifted from there is summed from these offsets. No result depends on the constant, so
    // that no gradient flows through it.
    private Gaussians Maximise(Tensor v, Tensor weights, Tensor? present, int t)
    {
        var rows = weights.transpose(1, 2).unsqueeze(2);      // (B, J, 1, N)
        var total = weights.sum(1).unsqueeze(-1);
        var divisor = Arithmetic.Plus(total, Least);
        var centre = rows.detach().matmul(v.detach()).squeeze(2) / divisor.detach();
        var offsets = v - centre.unsqueeze(2);
        var squares = Arithmetic.Square(offsets);
        var sum = rows.matmul(offsets).squeeze(2);
        var shift = (sum - Arithmetic.Times(centre, Least)) / divisor;      // mean - centre

        // sum_i w (offset - shift)^2, which rounding alone could bring below 0.
        var spread = rows.matmul(squares).squeeze(2) - shift * (Arithmetic.Times(sum, 2) - shift * total);
        var variance = Arithmetic.Plus(Arithmetic.AtLeast(spread, 0) / divisor, Least);
        var deviation = Arithmetic.Times(variance.log(), 0.5);
        var cost = (Arithmetic.Plus(deviation, beta_u.to_type(v.dtype).unsqueeze(-1)) * total).sum(-1);
        cost = present is null ? cost : Arithmetic.Times(cost, 100.0 * v.size(1)) / present;
        var lambda = FinalLambda * (1 - Math.Pow(0.95, t));
        var logit = Arithmetic.Times(beta_a.to_type(v.dtype) - cost, lambda);
        return new Gaussians(Arithmetic.Plus(centre, shift), variance, offsets, squares, shift, logit);
    }

    // Mean and variance (B, J, E); the votes' offsets from about the mean and their squares (B, J, N, E), and by what the mean is shifted
    // from there (B, J, E); and the logit (B, J) of the activation.
    private sealed record Gaussians(Tensor Mean, Tensor Variance, Tensor Offsets, Tensor Squares, Tensor Shift, Tensor Logit)
    {
        // By its logarithm activations near 1 keep their gradient too, which sigmoid takes from 1 - a, a difference.
        public Tensor LogActivation() => nn.functional.logsigmoid(Logit);

        // ln N(v; mean, variance), summed over the entries: (B, N, J).
        public Tensor LogDensity()
        {
            // (offset - shift)^2 / variance, multiplied out, so that no third tensor of all votes is kept for the gradient.
            var precision = Variance.reciprocal();
            var slope = Arithmetic.Times(Shift * precision, 2);
            var ofVotes = (Squares.matmul(precision.unsqueeze(-1)) - Offsets.matmul(slope.unsqueeze(-1))).squeeze(-1);
            var distance = Arithmetic.Plus(ofVotes, (Arithmetic.Square(Shift) * precision).sum(-1, keepdim: true)).transpose(1, 2);
            var determinant = Arithmetic.Times(Variance, 2 * Math.PI).log().sum(-1).unsqueeze(1);
            return Arithmetic.Times(Arithmetic.Plus(distance, determinant), -0.5);
        }
    }
}
