namespace Capsules;

/// <summary>How far the gradient reaches through the iterations of a routing algorithm.</summary>
public enum RoutingGradient
{
    /// <summary>Through every iteration, coupling coefficients included: exact, and what the 2017 authors' code does.</summary>
    AllIterations,

    /// <summary>
    /// Through the last iteration only, its coupling coefficients held constant: cheaper, and what several published
    /// implementations do (CapsNet-Tensorflow). Initial logits then get no gradient.
    /// </summary>
    LastIteration,
}
