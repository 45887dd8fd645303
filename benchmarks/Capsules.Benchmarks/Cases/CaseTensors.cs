using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>The tensors of one case: the same numbers for every implementation, each with the weight in its own layout.</summary>
internal sealed class CaseTensors : IDisposable
{
    private readonly Dictionary<string, Tensor> _weights = [];

    /// <param name="routingCase">The case.</param>
    /// <param name="implementations">Those that get a weight.</param>
    /// <param name="device">
    /// Where the tensors go. They are drawn on the CPU: alike for every device, and nothing is left in a GPU's allocator. Default: the CPU.
    /// </param>
    public CaseTensors(RoutingCase routingCase, IEnumerable<Implementation> implementations, Device? device = null)
    {
        device ??= CPU;
        using var scope = NewDisposeScope();
        Case = routingCase;
        manual_seed(1);

        // With these scales votes are about as long as 1 and couplings become uneven: a check of equal results means something.
        var scale = 1 / Math.Sqrt(routingCase.InDim);
        Input = Leaf(randn(routingCase.Batch, routingCase.InCapsules, routingCase.InDim) * scale, device);
        OutputGradient = randn(routingCase.Batch, routingCase.OutCapsules, routingCase.OutDim).to(device).DetachFromDisposeScope();
        var weight = randn(routingCase.InCapsules, routingCase.OutCapsules, routingCase.InDim, routingCase.OutDim) * scale;
        foreach (var implementation in implementations)
        {
            // Outside of every timed region: an original stores its parameter in this layout, so no call pays for it.
            _weights[implementation.Name] = Leaf(implementation.ToLayout(weight).contiguous().clone(), device);
        }
    }

    public RoutingCase Case { get; }

    public Tensor Input { get; }

    public Tensor OutputGradient { get; }

    public Tensor WeightOf(Implementation implementation) => _weights[implementation.Name];

    public void Dispose()
    {
        Input.Dispose();
        OutputGradient.Dispose();
        foreach (var weight in _weights.Values)
        {
            weight.Dispose();
        }
    }

    private static Tensor Leaf(Tensor tensor, Device device) => tensor.to(device).requires_grad_().DetachFromDisposeScope();
}
