using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>Variational Bayes routing: a mixture of Gaussians over the votes, with priors that keep it from collapsing.</summary>
/// <remarks>
/// <para>R_ij = 1 / J; repeat T times: with r_ij = R_ij a_i and R_j = sum_i r_ij,
/// alpha_j = alpha0 + R_j; kappa_j = kappa0 + R_j; nu_j = nu0 + R_j; mu_j the mean of the votes under r; m_j = R_j mu_j / kappa_j;
/// 1/Psi_jd = 1 + sum_i r_ij (u_hat_ijd - mu_jd)^2 + (kappa0 R_j / kappa_j) mu_jd^2; and, but for the last time,
/// R_i = softmax over all parents j of (E[ln pi_j] + E[ln N(u_hat_ij)]) under Dirichlet(alpha), Gauss(m, kappa) and Wishart(Psi, nu).
/// Then a_j = sigmoid(BatchNorm(beta_a_j - (exp(E[ln pi_j]) H_j + beta_u_j))), H_j the Gaussian's expected entropy, and the
/// capsules are BatchNorm(m_j).</para>
/// <para>Priors as in the paper: alpha0 = kappa0 = 1, m0 = 0, Psi0 = 1, nu0 = E + 1. The covariance is diagonal, as in the authors'
/// experiments. In a convolutional layer an input capsule's softmax runs over the parents at all positions that see it; before the first
/// one it couples with 1 / J at each of them, as in the authors' code.</para>
/// <para>State dict: <c>beta_u</c> and <c>beta_a</c> (J), zero at first, and the running statistics of <c>pose_norm</c> and
/// <c>activation_norm</c>, which have no parameters and whose hooks are not called. In training mode the normalisations take their statistics from the batch, so
/// samples are not independent of each other; after <c>eval()</c> they are. A pass in training mode changes the running
/// statistics: one thread at a time.</para>
/// <para>Builds the votes: a variance needs each of them.</para>
/// <para>Ribeiro, Leontidis, Kollias, "Capsule Routing via Variational Bayes", 2020. https://arxiv.org/abs/1905.11455.
/// The normalisations are those of the authors' code, which exponentiates where this takes a softmax.</para>
/// </remarks>
public sealed class VariationalBayesRouting : Routing
{
    private const double Alpha0 = 1, Kappa0 = 1;

    private Parameter beta_u;

    private Parameter beta_a;

    private readonly BatchNorm1d? pose_norm;

    private readonly BatchNorm1d? activation_norm;

    /// <summary>Makes the algorithm for a layer.</summary>
    /// <param name="outCapsules">J, the output capsules, or output capsule types, at least 1.</param>
    /// <param name="iterations">Iterations T, at least 1. Default: 3.</param>
    /// <param name="batchNorm">Whether poses and activations are normalised over the batch. Default: true, as in the authors' code.</param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    /// <exception cref="ArgumentException">The dtype is not floating-point.</exception>
    public VariationalBayesRouting(
        long outCapsules, int iterations = 3, bool batchNorm = true, Device? device = null, ScalarType? dtype = null)
        : base(nameof(VariationalBayesRouting))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(outCapsules, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(iterations, 1);
        ShapeGuard.ParameterDtype(nameof(VariationalBayesRouting), dtype);
        Iterations = iterations;
        beta_u = Initialize.Parameter([outCapsules], device, dtype, b => nn.init.zeros_(b));
        beta_a = Initialize.Parameter([outCapsules], device, dtype, b => nn.init.zeros_(b));
        if (batchNorm)
        {
            pose_norm = nn.BatchNorm1d(outCapsules, affine: false, device: device, dtype: dtype);
            activation_norm = nn.BatchNorm1d(outCapsules, affine: false, device: device, dtype: dtype);
        }

        RegisterComponents();
        if (device is not null)
        {
            (_deviceType, _deviceIndex) = (device.type, device.index);
        }
    }

    /// <summary>Iterations T.</summary>
    public int Iterations { get; }

    /// <inheritdoc/>
    public override RoutingInputs Uses => RoutingInputs.Activations;

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A shape does not fit, or a batch of one is to be normalised in training mode.</exception>
    public override RoutingResult Route(
        Votes votes, Tensor? bias = null, Tensor? logits = null, Tensor? activations = null, bool coupling = false)
    {
        CheckArguments(votes, bias, logits, activations);
        CheckOutputs(votes, beta_a.size(0));
        ShapeGuard.SameDevice(GetName(), beta_a, nameof(beta_a), votes.Device, "the votes");
        if (pose_norm is not null && training && votes.Batch == 1)
        {
            throw new ArgumentException(
                "VariationalBayesRouting normalises over the batch and cannot do so with one sample at one position in training mode. " +
                "Use a larger batch, call eval() on the layer, or make the routing with batchNorm: false.", nameof(votes));
        }

        using var scope = NewDisposeScope();
        var v = votes.Materialize();      // (B, N, J, E)
        var a = votes.Weights(activations).unsqueeze(-1);
        var r = votes.UniformCoupling(1.0 / votes.OutCapsules);
        for (var t = 1; ; t++)
        {
            var posterior = Posterior.Of(v, r * a);
            if (t == Iterations)
            {
                var entropy = posterior.ExpectedShare.exp() * posterior.Entropy;
                var logit = beta_a.to_type(v.dtype) - Arithmetic.Plus(entropy, beta_u.to_type(v.dtype));
                var poses = Normalised(pose_norm, posterior.Mean);
                var activation = Normalised(activation_norm, logit).sigmoid();
                return new RoutingResult(poses, activation, coupling ? votes.Present(r) : null).MoveToOuterDisposeScope();
            }

            r = votes.Softmax(posterior.LogResponsibility(v));
        }
    }

    // The running statistics have the module's dtype, which is a half one where poses are computed in float32.
    private Tensor Normalised(BatchNorm1d? norm, Tensor x) => norm is null ? x : BatchNormalisation.Call(norm, x.to_type(beta_a.dtype)).to_type(x.dtype);

    /// <summary>The variational posterior of all output capsules, tensors (B, J) or (B, J, E).</summary>
    private sealed record Posterior(Tensor Total, Tensor Mean, Tensor Scale)
    {
        private long Dim => Mean.size(-1);

        private Tensor Nu => Arithmetic.Plus(Total, Dim + 1.0);

        public static Posterior Of(Tensor v, Tensor weights)
        {
            var total = weights.sum(1);
            var sums = einsum("bnj,bnje->bje", weights, v);
            var mu = sums / Arithmetic.Plus(total, 1e-20).unsqueeze(-1);      // 0 where nobody is there
            var kappa = Arithmetic.Plus(total, Kappa0);
            var spread = einsum("bnj,bnje->bje", weights, Arithmetic.Square(v - mu.unsqueeze(1)));
            var shrinkage = Arithmetic.Times(total / kappa, Kappa0).unsqueeze(-1) * Arithmetic.Square(mu);
            return new Posterior(total, sums / kappa.unsqueeze(-1), Arithmetic.Plus(Arithmetic.Plus(spread, shrinkage), 1));
        }

        // E[ln pi_j] of the Dirichlet distribution.
        public Tensor ExpectedShare
        {
            get
            {
                var alpha = Arithmetic.Plus(Total, Alpha0);
                return alpha.digamma() - alpha.sum(-1, keepdim: true).digamma();
            }
        }

        // H_j, from E[ln |Lambda_j|].
        public Tensor Entropy =>
            Arithmetic.Plus(Arithmetic.Times(ExpectedLogDeterminant, -0.5), Dim / 2.0 * Math.Log(2 * Math.PI * Math.E));

        // E[ln pi_j] + E[ln N(v_ij)], (B, N, J).
        public Tensor LogResponsibility(Tensor v)
        {
            var kappa = Arithmetic.Plus(Total, Kappa0);
            var distance = (Arithmetic.Square(v - Mean.unsqueeze(1)) / Scale.unsqueeze(1)).sum(-1);
            var expected = Arithmetic.Plus(distance * Nu.unsqueeze(1), Arithmetic.Times(kappa.reciprocal(), Dim).unsqueeze(1));
            var perOutput = Arithmetic.Plus(ExpectedShare, Arithmetic.Times(ExpectedLogDeterminant, 0.5));
            var logDensity = perOutput.unsqueeze(1) - Arithmetic.Times(expected, 0.5);
            return Arithmetic.Plus(logDensity, -Dim / 2.0 * Math.Log(2 * Math.PI));
        }

        // E[ln |Lambda_j|] of the Wishart distribution: sum_d digamma((nu - d) / 2) + D ln 2 - ln |1 / Psi|.
        private Tensor ExpectedLogDeterminant
        {
            get
            {
                var halves = Enumerable.Range(0, (int)Dim).Select(d => Arithmetic.Times(Arithmetic.Plus(Nu, -d), 0.5).unsqueeze(-1));
                var digammas = cat([.. halves], dim: -1).digamma().sum(-1);
                return Arithmetic.Plus(digammas - Scale.log().sum(-1), Dim * Math.Log(2));
            }
        }
    }
}
