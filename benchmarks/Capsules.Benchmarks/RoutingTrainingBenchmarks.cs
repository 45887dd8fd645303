using BenchmarkDotNet.Attributes;

namespace Capsules.Benchmarks;

/// <summary>Dynamic routing, forward and backward through all iterations, with the gradients of inputs and weights.</summary>
public class RoutingTrainingBenchmarks : RoutingBenchmarks
{
    [Benchmark(Baseline = true)]
    public void Einsum() => Implementation.Einsum.Train(Tensors);

    [Benchmark]
    public void GramAi() => Implementation.GramAi.Train(Tensors);

    [Benchmark]
    public void Keras() => Implementation.Keras.Train(Tensors);

    [Benchmark]
    public void Tiled() => Implementation.Tiled.Train(Tensors);

    [Benchmark]
    public void Capsules() => Implementation.Capsules.Train(Tensors);
}
