using static TorchSharp.torch;

namespace Capsules;

/// <summary>An algorithm that turns the votes of input capsules into output capsules.</summary>
/// <remarks>
/// <para>A routing is a module, so that algorithms with parameters of their own train, move and save with the layer that
/// holds them; its parameters appear under <c>routing.</c> in the layer's state dict.</para>
/// <para>To add an algorithm: derive, implement <see cref="Route"/>, say in <see cref="Uses"/> what it uses beside votes, and give
/// an instance to any capsule layer. docs/extending.md shows one.</para>
/// <para>An algorithm should keep nothing from pass to pass, so that one layer may compute on several threads at once.</para>
/// <para>Masks come with the votes (<see cref="Votes.Mask"/>): absent input capsules count for nothing in every algorithm.</para>
/// </remarks>
public abstract class Routing : nn.Module
{
    /// <summary>Initialises the module part.</summary>
    /// <param name="name">The name that the module and its errors show.</param>
    protected Routing(string name) : base(name)
    {
    }

    /// <summary>What the algorithm uses beside votes. Default: nothing.</summary>
    public virtual RoutingInputs Uses => RoutingInputs.None;

    /// <summary>
    /// The coupling coefficient before any agreement, by which layers scale their initial weights. Default: 1 / J, uniform coupling. Of no
    /// account for algorithms that use activations and take means.
    /// </summary>
    /// <param name="outCapsules">J, the output capsules.</param>
    /// <returns>A positive number.</returns>
    public virtual double InitialCoupling(long outCapsules) => 1.0 / outCapsules;

    /// <summary>Routes votes to output capsules.</summary>
    /// <param name="votes">The votes of the input capsules.</param>
    /// <param name="bias">A bias (J, E) on every output capsule's input, or null.</param>
    /// <param name="logits">Initial routing logits (N, J) or (B, N, J), the log priors of the coupling, or null for zero.</param>
    /// <param name="activations">Activations (B, N) of the input capsules, for algorithms that use them, which take null for 1.</param>
    /// <param name="coupling">Whether the coupling coefficients are wanted. Default: false.</param>
    /// <returns>The output capsules in the dtype of the votes; the tensors belong to the caller's dispose scope.</returns>
    /// <exception cref="ArgumentException">A shape, dtype or device does not fit the votes.</exception>
    /// <exception cref="NotSupportedException">The algorithm has no use for an argument that was given.</exception>
    public abstract RoutingResult Route(
        Votes votes, Tensor? bias = null, Tensor? logits = null, Tensor? activations = null, bool coupling = false);

    /// <summary>
    /// One pass of an algorithm whose only state is its output capsules: what concurrent routing over several layers is made of
    /// (<see cref="Functional.route_concurrently"/>).
    /// </summary>
    /// <param name="votes">The votes of the input capsules.</param>
    /// <param name="outputs">The output capsules (B, J, E) of the pass before; null (default) in the first pass.</param>
    /// <returns>The output capsules (B, J, E) of this pass.</returns>
    /// <exception cref="NotSupportedException">The algorithm keeps more than its output capsules from pass to pass.</exception>
    public virtual Tensor Update(Votes votes, Tensor? outputs = null) =>
        throw new NotSupportedException($"{GetName()} cannot be run pass by pass. InvertedDotProductRouting can.");

    /// <summary>
    /// Throws, in words, for an argument of <see cref="Route"/> that does not fit the votes or that the algorithm does not use.
    /// </summary>
    /// <param name="votes">The votes.</param>
    /// <param name="bias">The bias, or null.</param>
    /// <param name="logits">The initial logits, or null.</param>
    /// <param name="activations">The activations, or null.</param>
    /// <exception cref="ArgumentException">A shape, dtype or device does not fit the votes.</exception>
    /// <exception cref="NotSupportedException">The algorithm has no use for an argument that was given.</exception>
    protected void CheckArguments(Votes votes, Tensor? bias = null, Tensor? logits = null, Tensor? activations = null)
    {
        ArgumentNullException.ThrowIfNull(votes);
        if (IsUsed(bias, RoutingInputs.Bias, "a bias"))
        {
            ShapeGuard.Shape(GetName(), bias!, nameof(bias), "J, E", [votes.OutCapsules, votes.OutDim]);
            votes.CheckLike(GetName(), bias!, nameof(bias));
        }

        if (IsUsed(logits, RoutingInputs.Logits, "initial logits"))
        {
            CheckLogits(GetName(), logits!, nameof(logits), votes.Batch, votes.InCapsules, votes.OutCapsules);
            votes.CheckLike(GetName(), logits!, nameof(logits));
        }

        if (IsUsed(activations, RoutingInputs.Activations, "activations"))
        {
            ShapeGuard.Shape(GetName(), activations!, nameof(activations), "B, N", [votes.Batch, votes.InCapsules]);
            votes.CheckLike(GetName(), activations!, nameof(activations));
        }
    }

    /// <summary>Throws unless logits are (N, J) or (B, N, J).</summary>
    internal static void CheckLogits(string owner, Tensor logits, string argument, long batch, long inCapsules, long outCapsules)
    {
        if (logits.dim() == 3)
        {
            ShapeGuard.Shape(owner, logits, argument, "B, N, J", [batch, inCapsules, outCapsules]);
        }
        else
        {
            ShapeGuard.Shape(owner, logits, argument, "N, J", [inCapsules, outCapsules], _ => "Logits may also be (B, N, J).");
        }
    }

    /// <summary>Throws unless the votes are for as many output capsules as the algorithm was made for.</summary>
    private protected void CheckOutputs(Votes votes, long outCapsules)
    {
        if (votes.OutCapsules != outCapsules)
        {
            throw new ArgumentException(
                $"{GetName()} was made for {outCapsules} output capsules, but the votes are for {votes.OutCapsules}. " +
                "Make it with the sizes of its layer.", nameof(votes));
        }
    }

    /// <summary>Logits (N, J) or (B, N, J), or null, without those of absent input capsules, which may hold anything.</summary>
    private protected static Tensor? Present(Votes votes, Tensor? logits) => logits is null || votes.Mask is null
        ? logits
        : votes.Present(logits.expand(votes.Batch, votes.InCapsules, votes.OutCapsules));

    /// <summary>s + bias, the bias null for none, in the dtype of s.</summary>
    private protected static Tensor Biased(Tensor s, Tensor? bias) => bias is null ? s : Arithmetic.Plus(s, Functional.Wide(bias));

    /// <summary>squash(s + bias): how algorithms that sum votes end an iteration.</summary>
    private protected static Tensor Squashed(Tensor s, Tensor? bias) => Functional.squash(Biased(s, bias));

    private bool IsUsed(Tensor? argument, RoutingInputs input, string what) =>
        argument is not null
            && (Uses.HasFlag(input) ? true : throw new NotSupportedException($"{GetName()} does not use {what}. Pass none."));
}
