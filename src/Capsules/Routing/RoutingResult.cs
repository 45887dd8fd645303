using static TorchSharp.torch;

namespace Capsules;

/// <summary>What routing gives: the output capsules and what is known about them. It owns its tensors.</summary>
/// <remarks>
/// Layers over grids of capsules give the same in their own shapes: (B, J, H, W, E), (B, J, H, W) and (B, H, W, N, J). A result is used by the thread
/// whose dispose scope owns its tensors.
/// </remarks>
public sealed class RoutingResult : IDisposable
{
    /// <summary>Collects what a routing computed.</summary>
    /// <param name="capsules">Output capsules (B, J, E).</param>
    /// <param name="activations">Their activations (B, J); null (default) where a capsule's activation is its length.</param>
    /// <param name="coupling">The coupling coefficients (B, N, J), when asked for; null by default.</param>
    /// <exception cref="ArgumentNullException"><paramref name="capsules"/> is null.</exception>
    public RoutingResult(Tensor capsules, Tensor? activations = null, Tensor? coupling = null)
    {
        ArgumentNullException.ThrowIfNull(capsules);
        (Capsules, Activations, Coupling) = (capsules, activations, coupling);
    }

    /// <summary>Output capsules (B, J, E).</summary>
    public Tensor Capsules { get; }

    /// <summary>Their activations (B, J), or null where a capsule's activation is its length.</summary>
    public Tensor? Activations { get; }

    /// <summary>
    /// The coupling coefficients (B, N, J) that made the capsules, when asked for, else null. What rows sum to over the output
    /// capsules is said by the algorithm, in most to 1. Rows of absent input capsules are zero.
    /// </summary>
    public Tensor? Coupling { get; }

    /// <summary>
    /// The capsules and their activations, in two variables: <c>var (poses, activations) = layer.Route(...)</c>.
    /// </summary>
    /// <param name="capsules">Output capsules (B, J, E).</param>
    /// <param name="activations">Their activations (B, J): <see cref="Activations"/>, or the lengths where there are none.</param>
    public void Deconstruct(out Tensor capsules, out Tensor activations) =>
        (capsules, activations) = (Capsules, Activations ?? Functional.length(Capsules));

    /// <summary>Disposes all tensors of the result.</summary>
    public void Dispose()
    {
        Capsules.Dispose();
        Activations?.Dispose();
        Coupling?.Dispose();
    }

    /// <summary>Moves all tensors of the result out of the current dispose scope: how an algorithm returns it.</summary>
    /// <returns>This result.</returns>
    public RoutingResult MoveToOuterDisposeScope()
    {
        Capsules.MoveToOuterDisposeScope();
        Activations?.MoveToOuterDisposeScope();
        Coupling?.MoveToOuterDisposeScope();
        return this;
    }
}
