namespace Capsules.Onnx;

/// <summary>Operations on values of an <see cref="OnnxGraph"/>: what stands between the modules of a network.</summary>
public static class OnnxOperations
{
    /// <summary>max(x, 0).</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="x">A value of any shape.</param>
    /// <returns>A value of the same shape.</returns>
    /// <exception cref="ArgumentException">The value is not Float32.</exception>
    public static OnnxValue Relu(this OnnxGraph graph, OnnxValue x) => graph.Unary("Relu", x);

    /// <summary>1 / (1 + exp(-x)).</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="x">A value of any shape.</param>
    /// <returns>A value of the same shape.</returns>
    /// <exception cref="ArgumentException">The value is not Float32.</exception>
    public static OnnxValue Sigmoid(this OnnxGraph graph, OnnxValue x) => graph.Unary("Sigmoid", x);

    /// <summary>The softmax over a dimension.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="x">A value of any shape.</param>
    /// <param name="dim">The dimension; negative ones count from the end.</param>
    /// <returns>A value of the same shape.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="dim"/> is no dimension of the value.</exception>
    /// <exception cref="ArgumentException">The value is not Float32.</exception>
    public static OnnxValue Softmax(this OnnxGraph graph, OnnxValue x, int dim) =>
        graph.Unary("Softmax", x, new OnnxAttribute("axis", Positive(x, dim)));

    /// <summary>x + y.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="x">A value.</param>
    /// <param name="y">A value whose shape fits, as in torch.</param>
    /// <returns>The sum.</returns>
    /// <exception cref="ArgumentException">The shapes do not fit each other, or the types differ or are Bool.</exception>
    public static OnnxValue Plus(this OnnxGraph graph, OnnxValue x, OnnxValue y) => graph.Elementwise("Add", x, y);

    /// <summary>x * y, element by element.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="x">A value.</param>
    /// <param name="y">A value whose shape fits, as in torch.</param>
    /// <returns>The product.</returns>
    /// <exception cref="ArgumentException">The shapes do not fit each other, or the types differ or are Bool.</exception>
    public static OnnxValue Times(this OnnxGraph graph, OnnxValue x, OnnxValue y) => graph.Elementwise("Mul", x, y);

    /// <summary>x times a number.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="x">A value of any shape.</param>
    /// <param name="factor">The number.</param>
    /// <returns>A value of the same shape.</returns>
    /// <exception cref="ArgumentException">The value is not Float32.</exception>
    public static OnnxValue Times(this OnnxGraph graph, OnnxValue x, double factor)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(x);
        CheckType("Mul", x, x.Type == OnnxType.Float32);
        return graph.Times(x, graph.Number(factor));
    }

    /// <summary>The sum over a dimension, which is then gone.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="x">A value of any shape.</param>
    /// <param name="dim">The dimension; negative ones count from the end.</param>
    /// <returns>A value of one dimension less.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="dim"/> is no dimension of the value.</exception>
    /// <exception cref="ArgumentException">The value is Bool.</exception>
    public static OnnxValue Sum(this OnnxGraph graph, OnnxValue x, int dim)
    {
        ArgumentNullException.ThrowIfNull(graph);
        var axis = Positive(x, dim);
        CheckType("ReduceSum", x, x.Type != OnnxType.Bool);
        return graph.Node("ReduceSum", x.Type, [x, graph.Integers([axis])], Without(x.Shape, axis), new OnnxAttribute("keepdims", 0L));
    }

    /// <summary>The same numbers in another shape.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="x">A value.</param>
    /// <param name="shape">The shape, in which <see cref="OnnxGraph.Batch"/> stands for the number of samples.</param>
    /// <returns>A value of that shape.</returns>
    /// <exception cref="ArgumentException">The shape has another number of elements a sample.</exception>
    public static OnnxValue Reshape(this OnnxGraph graph, OnnxValue x, params long[] shape)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(shape);
        if (Elements(shape) != Elements(x.Shape) || shape.Count(IsBatch) != x.Shape.Count(IsBatch))
        {
            throw new ArgumentException($"A value {OnnxValue.Text(x.Shape)} cannot be reshaped to {OnnxValue.Text(shape)}.", nameof(shape));
        }

        return graph.Node("Reshape", x.Type, [x, graph.Integers(shape)], shape);
    }

    /// <summary>All dimensions of a sample as one: (B, ...) to (B, F).</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="x">A value.</param>
    /// <returns>A value (B, F).</returns>
    public static OnnxValue Flatten(this OnnxGraph graph, OnnxValue x)
    {
        ArgumentNullException.ThrowIfNull(x);
        return graph.Reshape(x, OnnxGraph.Batch, Elements(x.Shape));
    }

    /// <summary>The same numbers with the dimensions in another order.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="x">A value.</param>
    /// <param name="order">Which dimension of the value each dimension of the result is.</param>
    /// <returns>The value, permuted.</returns>
    /// <exception cref="ArgumentException">The order does not name every dimension of the value once.</exception>
    public static OnnxValue Permute(this OnnxGraph graph, OnnxValue x, params int[] order)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(order);
        if (!order.Order().SequenceEqual(Enumerable.Range(0, x.Shape.Count)))
        {
            throw new ArgumentException(
                $"A value {OnnxValue.Text(x.Shape)} cannot be permuted by {string.Join(", ", order)}. Name each of its dimensions once, from 0.",
                nameof(order));
        }

        return graph.Node(
            "Transpose", x.Type, [x], [.. order.Select(dim => x.Shape[dim])], new OnnxAttribute("perm", order.Select(dim => (long)dim)));
    }

    /// <summary>Adds a dimension of size 1.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="x">A value.</param>
    /// <param name="dim">Where it is in the result, counted from 0.</param>
    /// <returns>The value of one dimension more.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="dim"/> is below 0 or beyond the number of dimensions.</exception>
    public static OnnxValue Unsqueeze(this OnnxGraph graph, OnnxValue x, int dim)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(x);
        ArgumentOutOfRangeException.ThrowIfNegative(dim);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(dim, x.Shape.Count);
        return graph.Node("Unsqueeze", x.Type, [x, graph.Integers([dim])], [.. x.Shape.Take(dim), 1, .. x.Shape.Skip(dim)]);
    }

    /// <summary>Takes a dimension of size 1 away.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="x">A value.</param>
    /// <param name="dim">The dimension; negative ones count from the end.</param>
    /// <returns>The value of one dimension less.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="dim"/> is no dimension of the value.</exception>
    /// <exception cref="ArgumentException">That dimension is of another size than 1.</exception>
    public static OnnxValue Squeeze(this OnnxGraph graph, OnnxValue x, int dim)
    {
        ArgumentNullException.ThrowIfNull(graph);
        var axis = Positive(x, dim);
        if (x.Shape[axis] != 1)
        {
            throw new ArgumentException(
                $"Dimension {dim} of a value {OnnxValue.Text(x.Shape)} is not of size 1 and cannot be taken away.", nameof(dim));
        }

        return graph.Node("Squeeze", x.Type, [x, graph.Integers([axis])], Without(x.Shape, axis));
    }

    /// <summary>A node of one Float32 input that keeps its shape.</summary>
    internal static OnnxValue Unary(this OnnxGraph graph, string operation, OnnxValue x, params OnnxAttribute[] attributes)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(x);
        CheckType(operation, x, x.Type == OnnxType.Float32);
        return graph.Node(operation, [x], x.Shape, attributes);
    }

    /// <summary>
    /// A node of two inputs of one type whose shapes are matched from the right, sizes of 1 repeated. Its result is of that type where none is given.
    /// </summary>
    internal static OnnxValue Elementwise(this OnnxGraph graph, string operation, OnnxValue x, OnnxValue y, OnnxType? type = null)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(y);
        CheckType(operation, x, type is not null || x.Type != OnnxType.Bool);
        if (x.Type != y.Type)
        {
            throw new ArgumentException($"{operation} cannot match the types {x.Type} and {y.Type}. Convert one of them by a node of Cast.", nameof(y));
        }

        var shape = new long[Math.Max(x.Shape.Count, y.Shape.Count)];
        for (var i = 1; i <= shape.Length; i++)
        {
            var (a, b) = (i <= x.Shape.Count ? x.Sizes[^i] : 1, i <= y.Shape.Count ? y.Sizes[^i] : 1);
            shape[^i] = a == b || b == 1 ? a : a == 1 ? b : throw new ArgumentException(
                $"{operation} cannot match the shapes {OnnxValue.Text(x.Shape)} and {OnnxValue.Text(y.Shape)}.", nameof(y));
        }

        return graph.Node(operation, type ?? x.Type, [x, y], shape);
    }

    /// <summary>Throws where an operation does not serve a value's type: ONNX Runtime would refuse the file.</summary>
    internal static void CheckType(string operation, OnnxValue x, bool isServed)
    {
        if (!isServed)
        {
            throw new ArgumentException($"{operation} does not serve {x.Type}, which {x} is. Convert it by a node of Cast.", nameof(x));
        }
    }

    /// <summary>A dimension counted from 0.</summary>
    internal static int Positive(OnnxValue x, long dim)
    {
        ArgumentNullException.ThrowIfNull(x);
        var axis = dim < 0 ? dim + x.Shape.Count : dim;
        return axis >= 0 && axis < x.Shape.Count ? (int)axis : throw new ArgumentOutOfRangeException(
            nameof(dim), dim, $"dim must be a dimension of {OnnxValue.Text(x.Shape)}.");
    }

    /// <summary>How many elements a sample has.</summary>
    internal static long Elements(IEnumerable<long> shape) =>
        shape.Where(size => !IsBatch(size)).Aggregate(1L, (product, size) => product * size);

    private static bool IsBatch(long size) => size == OnnxGraph.Batch;

    private static long[] Without(IReadOnlyList<long> shape, int axis) => [.. shape.Take(axis), .. shape.Skip(axis + 1)];
}
