using static TorchSharp.torch;

namespace Capsules;

/// <summary>What routing gives: the output capsules and what is known about them.</summary>
/// <param name="Capsules">Output capsules (B, J, E).</param>
/// <param name="Activations">Their activations (B, J), or null where a capsule's activation is its length.</param>
/// <param name="Coupling">
/// The coupling coefficients (B, N, J) that made the capsules, when asked for, else null. Rows sum to 1 over the output
/// capsules; with leaky routing, to at most 1.
/// </param>
public sealed record RoutingResult(Tensor Capsules, Tensor? Activations = null, Tensor? Coupling = null) : IDisposable
{
    /// <summary>Disposes all tensors of the result.</summary>
    public void Dispose()
    {
        Capsules.Dispose();
        Activations?.Dispose();
        Coupling?.Dispose();
    }

    internal RoutingResult MoveToOuterDisposeScope()
    {
        Capsules.MoveToOuterDisposeScope();
        Activations?.MoveToOuterDisposeScope();
        Coupling?.MoveToOuterDisposeScope();
        return this;
    }
}
