using FsCheck;
using FsCheck.Fluent;
using static TorchSharp.torch;

namespace Capsules.Tests.Properties;

/// <summary>A layer of random sizes and the shape of its input without the batch.</summary>
internal sealed record LayerCase(
    string Layer, int Size, int Dim, int OutSize, int OutDim, int Height, int Width, int Kernel, int Stride, int Padding, bool Flag, string Routing, int B,
    Layout Layout, int Gradients, int Seed)
{
    private static readonly string[] Layers =
    [
        "CapsuleLayer", "ClassCapsuleLayer", "ConvCapsuleLayer", "ConvCapsuleLayer1d", "ConvTransposeCapsuleLayer", "ConvTransposeCapsuleLayer1d", "PrimaryCapsule",
        "DepthwisePrimaryCapsule", "MatrixPrimaryCapsule", "MaskedDecoder", "ClassIndependentDecoder", "ConvolutionalDecoder",
    ];

    public static Gen<LayerCase> Any { get; } =
        from layer in Gen.Elements(Layers)
        from size in Gen.Choose(1, 5)
        from dim in Gen.Choose(1, 5)
        from outSize in Gen.Choose(1, 5)
        from outDim in Gen.Choose(2, 6)
        from height in Gen.Choose(0, 4)
        from width in Gen.Choose(0, 4)
        from kernel in Gen.Choose(1, 4)
        from stride in Gen.Choose(1, 2)
        from padding in Gen.Choose(0, 1)
        from flag in Draw.Flag
        from routing in Gen.Elements(RoutingRun.Algorithms)
        from b in Gen.Elements(1, 2, 3, 7)
        from layout in Draw.Layout
        from gradients in Gen.Choose(0, 3)
        from seed in Draw.Seed
        select new LayerCase(layer, size, dim, outSize, outDim, kernel + height, kernel + width, kernel, stride, Math.Min(padding, kernel - 1), flag, routing, b, layout, gradients, seed);

    // Poses of 2 x 2, with coordinates added to the votes of a class capsule layer; of a routing that gets by without their activations.
    private bool IsMatrix => Flag && Layer is ("ClassCapsuleLayer" or "ConvCapsuleLayer") && Routing is not ("self" or "em" or "em normalised" or "bayes");

    private long InEntries => IsMatrix ? 4 : Dim;

    private long OutEntries => IsMatrix ? 4 : OutDim;

    // What a routing sees of the layer: its input capsules in one position's kernel.
    private Capsules.Routing MakeRouting(long inDim, ScalarType dtype) => new RoutingRun(
        Routing, false, B, 1, 1, (int)inDim, OutSize, (int)OutEntries, 1 + Seed % 3, false, 0, false, false, dtype, Layout.Contiguous, Layout.Contiguous, 0, Seed).Make(dtype);

    /// <summary>The layer, from its seed: the same in each dtype but for rounding.</summary>
    public nn.Module Make(ScalarType dtype)
    {
        manual_seed(Seed);
        nn.Module module = Layer switch
        {
            "CapsuleLayer" => new CapsuleLayer(Size * Height, Dim, OutSize, OutDim, MakeRouting(Dim, dtype), sharedPositions: Flag ? Height : 1, dtype: dtype),
            "ClassCapsuleLayer" => new ClassCapsuleLayer(Size, InEntries, OutSize, OutEntries, MakeRouting(InEntries, dtype), IsMatrix, Height * Width, kind: IsMatrix ? CapsuleKind.Matrix : CapsuleKind.Vector, dtype: dtype),
            "ConvCapsuleLayer" => new ConvCapsuleLayer(Size, InEntries, OutSize, OutEntries, MakeRouting(InEntries, dtype), Kernel, Stride, Padding, kind: IsMatrix ? CapsuleKind.Matrix : CapsuleKind.Vector, dtype: dtype),
            "ConvCapsuleLayer1d" => new ConvCapsuleLayer1d(Size, Dim, OutSize, OutDim, MakeRouting(Dim, dtype), Kernel, Stride, Padding, dtype: dtype),
            "ConvTransposeCapsuleLayer" => new ConvTransposeCapsuleLayer(Size, Dim, OutSize, OutDim, MakeRouting(Dim, dtype), Kernel + 1, Stride, Padding, dtype: dtype),
            "ConvTransposeCapsuleLayer1d" => new ConvTransposeCapsuleLayer1d(Size, Dim, OutSize, OutDim, MakeRouting(Dim, dtype), Kernel + 1, Stride, Padding, dtype: dtype),
            "PrimaryCapsule" => new PrimaryCapsule(Size, OutSize, OutDim, Kernel, Stride, Padding, bias: Flag, dtype: dtype),
            "DepthwisePrimaryCapsule" => new DepthwisePrimaryCapsule(Size * OutDim, OutDim, Kernel, Stride, Flag, dtype: dtype),
            "MatrixPrimaryCapsule" => new MatrixPrimaryCapsule(Size, OutSize, Dim, Kernel, Stride, Padding, Flag, dtype: dtype),
            "MaskedDecoder" => new MaskedDecoder(Size, OutDim, [Dim, Height, Width], [OutSize, 3], dtype: dtype),
            "ClassIndependentDecoder" => new ClassIndependentDecoder(Size, OutDim, [Dim, Height, Width], [OutSize, 3], dtype: dtype),
            _ => new ConvolutionalDecoder(Size, OutDim, [Dim, 4 * Height, 4 * Width], [OutSize, 3], Flag, dtype: dtype),
        };
        return module;
    }

    /// <summary>Numbers for an input, in float64 though float32 has them.</summary>
    public Tensor Numbers()
    {
        using var generator = new Generator((ulong)Seed);
        long[] shape = Layer switch
        {
            "CapsuleLayer" => [Size * Height, Dim],
            "ClassCapsuleLayer" or "ConvCapsuleLayer" or "ConvTransposeCapsuleLayer" => [Size, Height, Width, InEntries],
            "ConvCapsuleLayer1d" or "ConvTransposeCapsuleLayer1d" => [Size, Height, Dim],
            "PrimaryCapsule" or "MatrixPrimaryCapsule" => [Size, Height, Width],
            "DepthwisePrimaryCapsule" => [Size * OutDim, Height, Width],
            _ => [Size, OutDim],
        };
        return randn([B, .. shape], generator: generator).mul_(0.7).As(Layout).to(float32).to(float64);
    }

    /// <summary>What the layer makes of an input: capsules, and activations where it has them.</summary>
    public static Tensor[] Run(nn.Module module, Tensor input) => module switch
    {
        CapsuleLayer layer => RoutingRun.Outputs(layer.Route(input)),
        ClassCapsuleLayer layer => RoutingRun.Outputs(layer.Route(input)),
        GridCapsuleLayer layer => RoutingRun.Outputs(layer.Route(input)),
        MatrixPrimaryCapsule layer => Both(layer.call(input)),
        CapsuleDecoder decoder => [decoder.call(input)],
        nn.Module<Tensor, Tensor> plain => [plain.call(input)],
        _ => throw new ArgumentException(module.GetName()),
    };

    private static Tensor[] Both((Tensor Poses, Tensor Activations) pair) => [pair.Poses, pair.Activations];
}
