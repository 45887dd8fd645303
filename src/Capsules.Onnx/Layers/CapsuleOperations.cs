namespace Capsules.Onnx;

/// <summary>Operations on capsules in an <see cref="OnnxGraph"/>: what <see cref="Functional"/> is in TorchSharp.</summary>
public static class CapsuleOperations
{
    /// <summary>The length of every capsule: <see cref="Functional.length"/>.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="capsules">Capsules, usually (B, J, E).</param>
    /// <param name="dim">The dimension that holds a vector's entries. Default: the last.</param>
    /// <param name="keepdim">Whether that dimension stays, with size 1. Default: false.</param>
    /// <returns>Lengths, usually (B, J).</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="dim"/> is no dimension of the value.</exception>
    /// <exception cref="ArgumentException">The value is not Float32.</exception>
    public static OnnxValue Length(this OnnxGraph graph, OnnxValue capsules, int dim = -1, bool keepdim = false)
    {
        ArgumentNullException.ThrowIfNull(graph);
        var axis = OnnxOperations.Positive(capsules, dim);
        OnnxOperations.CheckType("ReduceL2", capsules, capsules.Type == OnnxType.Float32);
        long[] shape = [.. capsules.Shape.Take(axis), .. keepdim ? (long[])[1] : [], .. capsules.Shape.Skip(axis + 1)];
        return graph.Node(
            "ReduceL2", [capsules], shape, new OnnxAttribute("axes", [(long)axis]), new OnnxAttribute("keepdims", keepdim ? 1L : 0L));
    }

    /// <summary>v = s |s| / (1 + |s|^2): <see cref="Functional.squash"/>.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="s">Vectors of any shape.</param>
    /// <param name="dim">The dimension that holds a vector's entries. Default: the last.</param>
    /// <param name="eps">Added to |s|^2 under the square root. Default: 0.</param>
    /// <returns>Vectors of the same shape.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="dim"/> is no dimension of the value.</exception>
    /// <exception cref="ArgumentException">The value is not Float32.</exception>
    public static OnnxValue Squash(this OnnxGraph graph, OnnxValue s, int dim = -1, double eps = 0)
    {
        ArgumentNullException.ThrowIfNull(graph);
        var norm = graph.Length(s, dim, keepdim: true);
        if (eps != 0)
        {
            norm = graph.Unary("Sqrt", graph.Plus(graph.Times(norm, norm), graph.Number(eps)));
        }

        var scale = graph.Elementwise("Div", norm, graph.Plus(graph.Times(norm, norm), graph.Number(1)));
        return graph.Times(s, scale);
    }

    /// <summary>v = (1 - exp(-|s|)) s / |s|: <see cref="Functional.exponential_squash"/>.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="s">Vectors of any shape.</param>
    /// <param name="dim">The dimension that holds a vector's entries. Default: the last.</param>
    /// <returns>Vectors of the same shape.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="dim"/> is no dimension of the value.</exception>
    /// <exception cref="ArgumentException">The value is not Float32.</exception>
    public static OnnxValue ExponentialSquash(this OnnxGraph graph, OnnxValue s, int dim = -1)
    {
        ArgumentNullException.ThrowIfNull(graph);
        // ONNX has no expm1, and 1 - exp(-n) loses all digits of a small n; with t = tanh(n / 2) it is 2 t / (1 + t), which keeps them.
        var length = graph.Length(s, dim, keepdim: true);
        var norm = graph.Node("Max", [length, graph.Number(1e-16)], length.Shape);
        var t = graph.Unary("Tanh", graph.Times(norm, 0.5));
        var scale = graph.Elementwise("Div", graph.Times(t, 2), graph.Times(graph.Plus(t, graph.Number(1)), norm));
        return graph.Times(s, scale);
    }

    /// <summary>Sets all capsules of a sample but the longest to zero: <see cref="Functional.mask"/> without labels.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="capsules">Capsules (B, J, E).</param>
    /// <returns>Capsules (B, J, E).</returns>
    /// <exception cref="ArgumentException">The value is not (B, J, E).</exception>
    public static OnnxValue MaskLongest(this OnnxGraph graph, OnnxValue capsules)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(capsules);
        OnnxGraph.CheckShape(nameof(MaskLongest), capsules, "B, J, E", OnnxGraph.Batch, null, null);
        var numbers = Enumerable.Range(0, (int)capsules.Shape[1]).Select(j => (long)j);
        var longest = graph.Node("ArgMax", OnnxType.Int64, [graph.Length(capsules)], [OnnxGraph.Batch, 1], new OnnxAttribute("axis", 1L));
        var isLongest = graph.Elementwise("Equal", longest, graph.Integers([.. numbers]), OnnxType.Bool);
        return graph.Node("Where", [graph.Unsqueeze(isLongest, 2), capsules, graph.Number(0.0)], capsules.Shape);
    }
}
