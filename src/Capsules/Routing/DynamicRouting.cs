using System.Diagnostics.CodeAnalysis;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>Dynamic routing between capsules: routing by agreement.</summary>
/// <remarks>
/// <para>
/// b_ij = 0; repeat: c_i = softmax over output capsules j of b_i; s_j = sum_i c_ij u_hat_ij + bias_j; v_j = squash(s_j);
/// b_ij += the scalar product of u_hat_ij and v_j.
/// </para>
/// <para>Logits belong to one sample and start anew in each call. They are not accumulated step by step: after t iterations
/// b_ij = b0_ij + the scalar product of u_hat_ij and (v_j(1) + ... + v_j(t)), so one running sum (B, J, E) replaces them.</para>
/// <para>Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, procedure 1. https://arxiv.org/abs/1710.09829</para>
/// <para>Beyond the paper, from the authors' code: the bias, and leaky routing. The paper does not say how far the gradient
/// reaches; its authors' code lets it through all iterations, the default here.</para>
/// </remarks>
public sealed class DynamicRouting : Routing
{
    /// <summary>Makes the algorithm.</summary>
    /// <param name="iterations">
    /// Routing iterations, at least 0. Default: 3, as in the paper. 0 couples uniformly, without agreement and without
    /// initial logits; 1 couples by the initial logits alone.
    /// </param>
    /// <param name="leaky">
    /// Whether an orphan class with logit 0 takes part in the softmax, to which an input capsule that belongs nowhere may be
    /// routed; rows of the coupling coefficients then sum to less than 1. Default: false.
    /// </param>
    /// <param name="gradient">How far the gradient reaches. Default: through all iterations.</param>
    /// <param name="kernel">
    /// Which implementation computes. Default: the fused kernel where it serves (float32 and bfloat16 <see cref="LinearVotes"/> on
    /// the CPU; those and float16 on CUDA, within the sizes of docs/gpu-kernel.md; no coupling coefficients wanted), torch operations
    /// elsewhere. All are the same function.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="iterations"/> is negative.</exception>
    public DynamicRouting(
        int iterations = 3,
        bool leaky = false,
        RoutingGradient gradient = RoutingGradient.AllIterations,
        RoutingKernel kernel = RoutingKernel.Automatic)
        : base(nameof(DynamicRouting))
    {
        if (iterations < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(iterations), iterations, "iterations must be at least 0. The paper uses 3.");
        }

        (Iterations, Leaky, Gradient, Kernel) = (iterations, leaky, gradient, kernel);
    }

    /// <summary>Routing iterations, at least 0.</summary>
    public int Iterations { get; }

    /// <summary>Whether an orphan class takes part in the softmax.</summary>
    public bool Leaky { get; }

    /// <summary>How far the gradient reaches.</summary>
    public RoutingGradient Gradient { get; }

    /// <summary>Which implementation computes.</summary>
    public RoutingKernel Kernel { get; }

    /// <inheritdoc/>
    public override RoutingInputs Uses => RoutingInputs.Bias | RoutingInputs.Logits;

    /// <inheritdoc/>
    /// <remarks>1 / J; leaky 1 / (J + 1).</remarks>
    public override double InitialCoupling(long outCapsules) => 1.0 / (outCapsules + (Leaky ? 1 : 0));

    /// <inheritdoc/>
    /// <remarks>Activations are not used by this algorithm: a capsule's activation is its length.</remarks>
    /// <exception cref="NotSupportedException">The fused kernel was asked for and cannot serve the arguments.</exception>
    public override RoutingResult Route(
        Votes votes, Tensor? bias = null, Tensor? logits = null, Tensor? activations = null, bool coupling = false)
    {
        Check(votes, bias, logits, activations);
        using var scope = NewDisposeScope();
        logits = Present(votes, logits);
        if (IsFused(votes, bias, logits, coupling, out var linear))
        {
            var all = Gradient == RoutingGradient.AllIterations;
            var capsules = FusedDynamicRouting.Apply(linear.Input, linear.Weight, bias, logits, Iterations, Leaky, all);
            return new RoutingResult(capsules).MoveToOuterDisposeScope();
        }

        logits = logits is null ? null : Functional.Wide(logits);
        var c = Gradient == RoutingGradient.AllIterations ? Coupling(votes, bias, logits) : CouplingWithoutGradient(votes, bias, logits);
        var v = Squashed(c is null ? UniformSum(votes) : votes.WeightedSum(c), bias);
        c = !coupling ? null : c is null ? votes.UniformCoupling(InitialCoupling(votes.OutCapsules)) : votes.Present(c);
        return new RoutingResult(v, coupling: c).MoveToOuterDisposeScope();
    }

    private bool IsFused(Votes votes, Tensor? bias, Tensor? logits, bool coupling, [NotNullWhen(true)] out LinearVotes? linear)
    {
        linear = votes as LinearVotes;
        if (Kernel == RoutingKernel.Reference)
        {
            return false;
        }

        var reason = linear is null ? "The fused kernel serves vector capsules through matrices (LinearVotes), but these votes are others."
            : coupling ? "The fused kernel keeps no coupling coefficients."
            : FusedDynamicRouting.WhyNot(linear.Input, linear.Weight, bias, logits);
        return reason is null || (Kernel == RoutingKernel.Fused
            ? throw new NotSupportedException($"{reason} Use RoutingKernel.Automatic or RoutingKernel.Reference.")
            : false);
    }

    // The coupling coefficients (B, N, J) of the last iteration; null when they are uniform.
    private Tensor? Coupling(Votes votes, Tensor? bias, Tensor? logits)
    {
        var c = logits is null ? null : Softmax(logits.expand(votes.Batch, votes.InCapsules, votes.OutCapsules));
        Tensor? sum = null;      // V = v(1) + ... + v(t), (B, J, E)
        for (var t = 1; t < Iterations; t++)
        {
            var v = Squashed(c is null ? UniformSum(votes) : votes.WeightedSum(c), bias);
            sum = sum is null ? v : Arithmetic.Plus(sum, v);
            var agreement = votes.Agreement(sum);
            c = Softmax(logits is null ? agreement : Arithmetic.Plus(agreement, logits));
        }

        return c;
    }

    private Tensor? CouplingWithoutGradient(Votes votes, Tensor? bias, Tensor? logits)
    {
        using var noGrad = no_grad();
        return Coupling(votes, bias, logits);
    }

    // Over the OUTPUT capsules: every input capsule distributes itself. Over the inputs is this field's commonest mistake.
    private Tensor Softmax(Tensor logits)
    {
        if (!Leaky)
        {
            return nn.functional.softmax(logits, dim: -1);
        }

        var orphan = zeros_like(logits.narrow(-1, 0, 1));
        return nn.functional.softmax(cat([orphan, logits], dim: -1), dim: -1).narrow(-1, 1, logits.size(-1));
    }

    private Tensor UniformSum(Votes votes) => Arithmetic.Times(votes.Sum(), InitialCoupling(votes.OutCapsules));

    private void Check(Votes votes, Tensor? bias, Tensor? logits, Tensor? activations)
    {
        if (logits is not null && Iterations == 0)
        {
            throw new ArgumentException(
                "DynamicRouting with 0 iterations couples uniformly and cannot use logits. " +
                "Use 1 iteration to couple by the logits alone.", nameof(logits));
        }

        CheckArguments(votes, bias, logits, activations);
    }
}
