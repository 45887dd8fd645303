using static TorchSharp.torch;

namespace Capsules;

/// <summary>An algorithm that turns the votes of input capsules into output capsules.</summary>
/// <remarks>
/// <para>A routing is a module, so that algorithms with parameters of their own train, move and save with the layer that
/// holds them; its parameters appear under <c>routing.</c> in the layer's state dict.</para>
/// <para>To add an algorithm: derive, implement <see cref="Route"/>, and give an instance to <see cref="CapsuleLayer"/>.</para>
/// </remarks>
public abstract class Routing : nn.Module
{
    /// <summary>Initialises the module part.</summary>
    /// <param name="name">The name that the module shows.</param>
    protected Routing(string name) : base(name)
    {
    }

    /// <summary>Routes votes to output capsules.</summary>
    /// <param name="votes">The votes of the input capsules.</param>
    /// <param name="bias">A bias (J, E) on every output capsule's input, or null.</param>
    /// <param name="logits">Initial routing logits (N, J) or (B, N, J), the log priors of the coupling, or null for zero.</param>
    /// <param name="activations">Activations (B, N) of the input capsules, for algorithms that use them; null elsewhere.</param>
    /// <param name="coupling">Whether the coupling coefficients are wanted. Default: false.</param>
    /// <returns>The output capsules in the dtype of the votes; the tensors belong to the caller's dispose scope.</returns>
    /// <exception cref="ArgumentException">A shape does not fit the votes.</exception>
    /// <exception cref="NotSupportedException">The algorithm has no use for an argument that was given.</exception>
    public abstract RoutingResult Route(Votes votes, Tensor? bias = null, Tensor? logits = null, Tensor? activations = null, bool coupling = false);
}
