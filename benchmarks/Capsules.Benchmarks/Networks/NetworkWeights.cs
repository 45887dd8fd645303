using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>The sizes of the network of Sabour, Frosst, Hinton (2017) on MNIST, and the weights that every variant starts from.</summary>
internal static class NetworkWeights
{
    public const int Classes = 10, Primary = 1152, PrimaryDim = 8, Types = 32, OutDim = 16, Features = 256, Pixels = 784;

    public const double ReconstructionWeight = 0.0005, LearningRate = 1e-3;

    /// <summary>The same numbers in every process, in our layouts. The caller disposes them: left to the collector, they would leave holes in the
    /// heap in the middle of a run.</summary>
    public static Dictionary<string, Tensor> Draw()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var weights = new Dictionary<string, Tensor>
        {
            ["conv1.weight"] = Uniform(81, Features, 1, 9, 9),
            ["conv1.bias"] = Uniform(81, Features),
            ["primary.weight"] = Uniform(81 * Features, Types * PrimaryDim, Features, 9, 9),
            ["primary.bias"] = Uniform(81 * Features, Types * PrimaryDim),
            ["digits.weight"] = randn(Primary, Classes, PrimaryDim, OutDim) * (Classes / Math.Sqrt(Primary * OutDim)),
        };
        long[] widths = [Classes * OutDim, 512, 1024, Pixels];
        for (var i = 0; i < 3; i++)
        {
            weights[$"decoder.{i}.weight"] = Uniform(widths[i], widths[i + 1], widths[i]);
            weights[$"decoder.{i}.bias"] = Uniform(widths[i], widths[i + 1]);
        }

        foreach (var weight in weights.Values)
        {
            weight.DetachFromDisposeScope();
        }

        return weights;
    }

    public static void Dispose(Dictionary<string, Tensor> weights)
    {
        foreach (var weight in weights.Values)
        {
            weight.Dispose();
        }
    }

    /// <summary>A batch that looks like MNIST to the arithmetic: a fifth of the pixels are lit.</summary>
    public static (Tensor Images, Tensor Labels) Batch(int batch, long seed)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator((ulong)seed);
        var images = rand([batch, 1, 28, 28], generator: generator).sub(0.8).clamp_min(0).mul(5);
        var labels = randint(0, Classes, [batch], dtype: ScalarType.Int64, generator: generator);
        return (images.DetachFromDisposeScope(), labels.DetachFromDisposeScope());
    }

    private static Tensor Uniform(double fanIn, params long[] shape) => (rand(shape) * 2 - 1) / Math.Sqrt(fanIn);
}
