namespace Capsules;

/// <summary>The gradients that a backward pass is asked for; null where not asked.</summary>
internal unsafe struct RoutingGradients
{
    public float* Input;
    public float* Weight;
    public float* Bias;
    public float* Logits;
}
