namespace Capsules;

/// <summary>Which input positions a kernel covers at each output position, on grids of one or two axes, convolved or transposed.</summary>
internal sealed class KernelGrid
{
    private readonly string _owner;
    private readonly long[] _kernel, _stride, _padding, _dilation;
    private readonly long[]? _outputPadding;
    private KernelMap? _last;

    /// <param name="owner">The layer that speaks in errors.</param>
    /// <param name="kernel">Kernel sizes, one an axis, at least 1.</param>
    /// <param name="stride">Strides, at least 1.</param>
    /// <param name="padding">Padding, at least 0.</param>
    /// <param name="dilation">Dilation, at least 1.</param>
    /// <param name="outputPadding">
    /// For a transposed kernel: what the output is longer at its end, less than the stride. Null: not transposed.
    /// </param>
    public KernelGrid(string owner, long[] kernel, long[] stride, long[] padding, long[] dilation, long[]? outputPadding = null)
    {
        (_owner, _kernel, _stride, _padding, _dilation, _outputPadding) = (owner, kernel, stride, padding, dilation, outputPadding);
        for (var axis = 0; axis < kernel.Length; axis++)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(kernel[axis], 1, "kernelSize");
            ArgumentOutOfRangeException.ThrowIfLessThan(stride[axis], 1, nameof(stride));
            ArgumentOutOfRangeException.ThrowIfLessThan(padding[axis], 0, nameof(padding));
            ArgumentOutOfRangeException.ThrowIfLessThan(dilation[axis], 1, nameof(dilation));
            ArgumentOutOfRangeException.ThrowIfLessThan(outputPadding?[axis] ?? 0, 0, nameof(outputPadding));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(outputPadding?[axis] ?? 0, stride[axis], nameof(outputPadding));
        }
    }

    /// <summary>Kernel sizes.</summary>
    public IReadOnlyList<long> Kernel => _kernel;

    /// <summary>Strides.</summary>
    public IReadOnlyList<long> Stride => _stride;

    /// <summary>Padding.</summary>
    public IReadOnlyList<long> Padding => _padding;

    /// <summary>Dilation.</summary>
    public IReadOnlyList<long> Dilation => _dilation;

    /// <summary>K, the kernel's offsets.</summary>
    public long Offsets => _kernel.Aggregate(1L, (product, size) => product * size);

    /// <summary>How many offsets reach an output position inside the grid: all of them, or on average one in stride, transposed.</summary>
    public double Reach => _outputPadding is null
        ? Offsets
        : _kernel.Zip(_stride, (size, stride) => Math.Max(1, (double)size / stride)).Aggregate(1.0, (product, size) => product * size);

    /// <summary>The output's size on a grid.</summary>
    /// <exception cref="ArgumentException">The grid is smaller than the kernel, or nothing is left of it.</exception>
    public long[] OutputSize(long[] input)
    {
        var output = new long[input.Length];
        for (var axis = 0; axis < input.Length; axis++)
        {
            var span = _dilation[axis] * (_kernel[axis] - 1) + 1;
            var room = _outputPadding is null
                ? input[axis] + 2 * _padding[axis] - span
                : (input[axis] - 1) * _stride[axis] - 2 * _padding[axis] + span + _outputPadding[axis] - 1;
            if (room < 0 || input[axis] < 1)
            {
                throw new ArgumentException(_outputPadding is null
                    ? $"{_owner}'s kernel {Text(_kernel)} with dilation {Text(_dilation)} does not fit on a grid of {Text(input)} " +
                      $"with padding {Text(_padding)}. Use a larger grid, a smaller kernel or more padding."
                    : $"{_owner}'s padding {Text(_padding)} leaves nothing of a grid of {Text(input)}. Use less padding or a larger grid.",
                    nameof(input));
            }

            output[axis] = _outputPadding is null ? room / _stride[axis] + 1 : room + 1;
        }

        return output;
    }

    /// <summary>The pairs of output position and kernel offset, and the input position of each.</summary>
    public KernelMap Map(long[] input)
    {
        if (_last is { } last && last.Input.AsSpan().SequenceEqual(input))
        {
            return last;
        }

        var output = OutputSize(input);
        long[] inputOfEdge = [0];
        long positions = 1, offsets = 1, inputs = 1;
        for (var axis = 0; axis < input.Length; axis++)
        {
            (inputOfEdge, positions, offsets, inputs) = Widened(inputOfEdge, positions, offsets, inputs, axis, output[axis], input[axis]);
        }

        return _last = new KernelMap(input, output, inputOfEdge, inputs, offsets);
    }

    // One axis more: what was before is the outer index of positions, offsets and inputs alike. -1 is off the grid until the end.
    private (long[] InputOfEdge, long Positions, long Offsets, long Inputs) Widened(
        long[] before, long positions, long offsets, long inputs, int axis, long outputSize, long inputSize)
    {
        var (size, outside) = (_kernel[axis], inputs * inputSize);
        var edges = new long[positions * outputSize * offsets * size];
        long edge = 0;
        for (long position = 0; position < positions; position++)
        {
            for (long o = 0; o < outputSize; o++)
            {
                for (long offset = 0; offset < offsets; offset++)
                {
                    for (long k = 0; k < size; k++)
                    {
                        var outer = before[position * offsets + offset];
                        var inner = InputAt(axis, o, k);
                        edges[edge++] = outer == inputs || inner < 0 || inner >= inputSize ? outside : outer * inputSize + inner;
                    }
                }
            }
        }

        return (edges, positions * outputSize, offsets * size, outside);
    }

    // A transposed kernel puts input i, offset k at output i * stride - padding + k * dilation.
    private long InputAt(int axis, long output, long offset)
    {
        if (_outputPadding is null)
        {
            return output * _stride[axis] - _padding[axis] + offset * _dilation[axis];
        }

        var strided = output + _padding[axis] - offset * _dilation[axis];
        return strided >= 0 && strided % _stride[axis] == 0 ? strided / _stride[axis] : -1;
    }

    private static string Text(long[] sizes) => string.Join(" x ", sizes);
}

/// <summary>
/// Edges of one grid: pairs of output position l and kernel offset k, numbered l * K + k, positions and offsets row after row.
/// </summary>
/// <param name="Input">The input grid.</param>
/// <param name="Output">The output grid.</param>
/// <param name="InputOfEdge">Every edge's input position, or <paramref name="Inputs"/> off the grid.</param>
/// <param name="Inputs">S, the input positions.</param>
/// <param name="Offsets">K, the kernel's offsets.</param>
internal sealed record KernelMap(long[] Input, long[] Output, long[] InputOfEdge, long Inputs, long Offsets)
{
    private readonly Lazy<SharedParents> _parents = new(() => new SharedParents(InputOfEdge, Inputs, Offsets));

    /// <summary>L, the output positions.</summary>
    public long Positions => InputOfEdge.Length / Offsets;

    /// <summary>Whether any edge leaves the grid.</summary>
    public bool LeavesGrid { get; } = InputOfEdge.Contains(Inputs);

    /// <summary>Who competes for whom.</summary>
    public SharedParents Parents => _parents.Value;
}
