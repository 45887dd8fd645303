using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>One routing algorithm in a layer of a given size: what a training step of that layer costs.</summary>
internal sealed class Algorithm : IDisposable
{
    private readonly CapsuleLayer _layer;
    private readonly Tensor _input, _gradient;
    private readonly Tensor[] _inputs;

    private Algorithm(string name, Routing routing, RoutingCase size)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        Name = name;
        _layer = new CapsuleLayer(size.InCapsules, size.InDim, size.OutCapsules, size.OutDim, routing);
        _input = (randn(size.Batch, size.InCapsules, size.InDim) / Math.Sqrt(size.InDim) / 2).requires_grad_().DetachFromDisposeScope();
        _gradient = randn(size.Batch, size.OutCapsules, size.OutDim).DetachFromDisposeScope();
        _inputs = [_input, .. _layer.parameters()];
    }

    public string Name { get; }

    /// <summary>All algorithms of the library with their default settings, the fused kernel of dynamic routing first.</summary>
    public static IReadOnlyList<Algorithm> All(RoutingCase size)
    {
        var (n, d, j, e) = (size.InCapsules, size.InDim, size.OutCapsules, size.OutDim);
        return
        [
            new("DynamicRouting, fused kernel", new DynamicRouting(kernel: RoutingKernel.Fused), size),
            new("DynamicRouting, torch operations", new DynamicRouting(kernel: RoutingKernel.Reference), size),
            new("UniformRouting", new UniformRouting(), size),
            new("MaxMinRouting", new MaxMinRouting(), size),
            new("KMeansRouting, Dot", new KMeansRouting(), size),
            new("KMeansRouting, Cosine", new KMeansRouting(similarity: CapsuleSimilarity.Cosine), size),
            new("SelfRouting", new SelfRouting(n, d, j), size),
            new("SelfAttentionRouting", new SelfAttentionRouting(n, j), size),
            new("InvertedDotProductRouting", new InvertedDotProductRouting(e), size),
            new("EMRouting", new EMRouting(j), size),
            new("VariationalBayesRouting", new VariationalBayesRouting(j), size),
        ];
    }

    /// <summary>Forward, and backward from capsules and activations to the input and every parameter.</summary>
    public void Train()
    {
        using var scope = NewDisposeScope();
        using var result = _layer.Route(_input);
        Tensor[] outputs = [result.Capsules, .. result.Activations is { } given ? new[] { given } : []];
        Tensor[] gradients = [_gradient, .. result.Activations is { } like ? new[] { ones_like(like) } : []];
        foreach (var gradient in autograd.grad(outputs, _inputs, gradients))
        {
            gradient.Dispose();
        }
    }

    public void Dispose()
    {
        _layer.Dispose();
        _input.Dispose();
        _gradient.Dispose();
    }
}
