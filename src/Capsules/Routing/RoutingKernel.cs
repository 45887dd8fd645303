namespace Capsules;

/// <summary>Which implementation of a routing algorithm computes.</summary>
public enum RoutingKernel
{
    /// <summary>The fused kernel where it can serve the arguments, else the reference. The default.</summary>
    Automatic,

    /// <summary>The fused kernel, which never builds the votes; an error says why where it cannot serve the arguments.</summary>
    Fused,

    /// <summary>Torch operations: every dtype and device, differentiable any number of times.</summary>
    Reference,
}
