using BenchmarkDotNet.Attributes;

namespace Capsules.Benchmarks;

/// <summary>Dynamic routing without gradient, as in inference.</summary>
public class RoutingForwardBenchmarks : RoutingBenchmarks
{
    [Benchmark(Baseline = true)]
    public void Einsum() => Run(Implementation.Einsum);

    [Benchmark]
    public void GramAi() => Run(Implementation.GramAi);

    [Benchmark]
    public void Keras() => Run(Implementation.Keras);

    [Benchmark]
    public void Tiled() => Run(Implementation.Tiled);

    [Benchmark]
    public void Capsules() => Run(Implementation.Capsules);

    private void Run(Implementation implementation) => implementation.Forward(Tensors).Dispose();
}
