namespace Capsules.Benchmarks;

/// <summary>The sizes of one benchmark.</summary>
/// <param name="Shape">Name of the layer's shape.</param>
/// <param name="InCapsules">N.</param>
/// <param name="InDim">D.</param>
/// <param name="OutCapsules">J.</param>
/// <param name="OutDim">E.</param>
/// <param name="Batch">B.</param>
/// <param name="Iterations">Routing iterations.</param>
public sealed record RoutingCase(string Shape, int InCapsules, int InDim, int OutCapsules, int OutDim, int Batch, int Iterations = 3)
{
    /// <summary>The paper's MNIST layer; the same on 36 x 36 images; the authors' CIFAR-10 layer; and one with many outputs.</summary>
    private static readonly RoutingCase[] Shapes =
    [
        new("mnist", 1152, 8, 10, 16, 0),
        new("36x36", 3200, 8, 10, 16, 0),
        new("cifar", 9216, 8, 10, 16, 0),
        new("wide", 1152, 8, 100, 16, 0),
    ];

    /// <summary>All cases, the smallest first within a shape.</summary>
    public static IReadOnlyList<RoutingCase> All { get; } =
        [.. Shapes.SelectMany(shape => Batches(shape.Shape).Select(batch => shape with { Batch = batch }))];

    /// <summary>All cases, and beyond them those that only a GPU is asked for.</summary>
    public static IReadOnlyList<RoutingCase> OfGpu { get; } =
    [
        .. All,
        .. new[] { 128, 1024, 4096 }.Select(batch => Shapes[0] with { Batch = batch }),
        Shapes[2] with { Batch = 512 },
    ];

    /// <summary>What <c>--case</c> takes.</summary>
    public string Name => $"{Shape}-{Batch}";

    /// <summary>Bytes of the votes (B, N, J, E) in float32.</summary>
    public long VoteBytes => (long)Batch * InCapsules * OutCapsules * OutDim * sizeof(float);

    /// <summary>Bytes of v, du and dW, which a caller asked for.</summary>
    public long ResultBytes => ((long)Batch * OutCapsules * OutDim + (long)Batch * InCapsules * InDim + WeightCount) * sizeof(float);

    /// <summary>Entries of the weight.</summary>
    public long WeightCount => (long)InCapsules * OutCapsules * InDim * OutDim;

    /// <inheritdoc/>
    public override string ToString() => Name;

    // A large batch of a large shape takes minutes with the baselines and shows nothing new.
    private static int[] Batches(string shape) => shape switch
    {
        "mnist" => [1, 16, 100, 256],
        _ => [1, 16, 100],
    };
}
