namespace Capsules.Onnx;

/// <summary>A value in an <see cref="OnnxGraph"/>: an input, a constant, or what a node computes.</summary>
public sealed class OnnxValue
{
    private readonly long[] _shape;

    internal OnnxValue(OnnxGraph graph, string name, OnnxType type, long[] shape) =>
        (Graph, Name, Type, _shape) = (graph, name, type, shape);

    /// <summary>Its name in the file.</summary>
    public string Name { get; }

    /// <summary>What its numbers are.</summary>
    public OnnxType Type { get; }

    /// <summary>Its shape, in which <see cref="OnnxGraph.Batch"/> stands for the number of samples.</summary>
    public IReadOnlyList<long> Shape => _shape;

    internal OnnxGraph Graph { get; }

    internal ReadOnlySpan<long> Sizes => _shape;

    /// <summary>The shape as errors show it: (B, 10, 16).</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Name} {Text(_shape)}";

    internal static string Text(IEnumerable<long> shape) =>
        $"({string.Join(", ", shape.Select(size => size == OnnxGraph.Batch ? "B" : FormattableString.Invariant($"{size}")))})";
}
