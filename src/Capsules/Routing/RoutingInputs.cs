namespace Capsules;

/// <summary>What a routing algorithm uses beside votes.</summary>
[Flags]
public enum RoutingInputs
{
    /// <summary>Nothing but votes.</summary>
    None = 0,

    /// <summary>A bias (J, E) on every output capsule's input.</summary>
    Bias = 1,

    /// <summary>Initial routing logits (N, J) or (B, N, J).</summary>
    Logits = 2,

    /// <summary>
    /// Activations (B, N) of the input capsules. Such algorithms take means of votes, weighted by activations, where others take
    /// sums.
    /// </summary>
    Activations = 4,
}
