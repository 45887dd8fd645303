using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>A whole network with its losses and its optimiser.</summary>
internal abstract class TrainedNetwork : IDisposable
{
    /// <summary>The variants, by the name that a child process is started with.</summary>
    public static readonly IReadOnlyList<string> Names = [OursFloat32, OursBFloat16, Plain, PlainTuned];

    public const string OursFloat32 = "capsules float32", OursBFloat16 = "capsules bfloat16", Plain = "op by op", PlainTuned = "op by op, allocator tuned";

    /// <summary>Makes a variant, on a device. Default: the CPU.</summary>
    public static TrainedNetwork Make(string name, Device? device = null) => name switch
    {
        OursFloat32 => new OurNetwork(null, device ?? CPU),
        OursBFloat16 => new OurNetwork(ScalarType.BFloat16, device ?? CPU),
        Plain or PlainTuned => new PlainNetwork(device ?? CPU),
        _ => throw new ArgumentException($"There is no network '{name}'."),
    };

    /// <summary>Whether the process keeps freed memory, as this library's users are told to. It serves any TorchSharp program, so op by op runs with and without.</summary>
    public static bool KeepsMemory(string name) => name != Plain;

    /// <summary>A training step.</summary>
    /// <returns>The loss before it.</returns>
    public abstract float Step(Tensor images, Tensor labels);

    /// <summary>The classes of images (B), without gradients and decoder.</summary>
    public abstract Tensor Predict(Tensor images);

    /// <summary>The convolutions alone, forward and backward as in a step, or null where they are not asked for.</summary>
    public virtual Action? Convolutions(Tensor images) => null;

    public abstract void Dispose();
}
