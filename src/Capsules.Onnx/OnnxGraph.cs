using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using Capsules.Onnx.Schema;
using Google.Protobuf;
using static TorchSharp.torch;

namespace Capsules.Onnx;

/// <summary>A computation being written down for ONNX: inputs, constants, nodes and outputs, and the file that they become.</summary>
/// <remarks>
/// <para>Modules are written by <see cref="Apply"/>, single operations by the methods of <see cref="OnnxOperations"/>, and any
/// operator of ONNX by <c>Node</c>. All of it is inference: dropout is left out, and batch normalisation uses what it has
/// learned, whatever the mode of the module.</para>
/// <code>
/// var graph = new OnnxGraph();
/// var images = graph.Input("images", 1, 28, 28);
/// var capsules = graph.Apply(digits, graph.Apply(primary, images));
/// graph.Output("lengths", graph.Length(capsules));
/// graph.Save("network.onnx");
/// </code>
/// <para>One thread at a time may write to a graph. Values and the bytes of a file may be shared.</para>
/// <para>The format: https://github.com/onnx/onnx/blob/main/docs/IR.md</para>
/// </remarks>
public sealed class OnnxGraph
{
    /// <summary>Stands for the number of samples in the shape of an <see cref="OnnxValue"/>: it is open until the network runs.</summary>
    public const long Batch = -1;

    /// <summary>The version of ONNX's operators that nodes are written in, which runtimes since 2022 know.</summary>
    public const int Opset = 17;

    /// <summary>The version of ONNX's file format.</summary>
    public const int IrVersion = 8;

    // A file is one protobuf message, which must be shorter than 2 GiB.
    private const long LargestFile = int.MaxValue;

    private readonly GraphProto _graph = new() { Name = "network" };
    private readonly List<OnnxValue> _outputs = [];
    private readonly Dictionary<string, int> _used = [];
    private string _scope = "";
    private long _constantBytes;

    /// <summary>The outputs so far, under the names by which they are read.</summary>
    public IReadOnlyList<OnnxValue> Outputs => _outputs;

    /// <summary>Adds an input of float32 samples.</summary>
    /// <param name="name">Its name, by which the network is fed.</param>
    /// <param name="sampleShape">The shape of one sample, as 1, 28, 28; each size at least 1.</param>
    /// <returns>The input (B, ...).</returns>
    /// <exception cref="ArgumentException">The name is taken.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A size is less than 1.</exception>
    public OnnxValue Input(string name, params long[] sampleShape)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(sampleShape);
        foreach (var size in sampleShape)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(size, 1, nameof(sampleShape));
        }

        Take(name);
        var value = new OnnxValue(this, name, OnnxType.Float32, [Batch, .. sampleShape]);
        _graph.Input.Add(Describe(name, value));
        return value;
    }

    /// <summary>Adds a constant, as a weight.</summary>
    /// <param name="name">A name for readers of the file; a number is added where it is taken.</param>
    /// <param name="value">A tensor of any device: Int64 and Bool stay so, floating-point dtypes become float32. It is copied.</param>
    /// <returns>The constant.</returns>
    /// <exception cref="ArgumentException">The dtype is none of these.</exception>
    /// <exception cref="InvalidOperationException">The constants would be larger than a file may be.</exception>
    public OnnxValue Constant(string name, Tensor value)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(value);
        using var scope = NewDisposeScope();
        var type = TypeOf(value);
        CheckRoom(value.numel(), type switch { OnnxType.Float32 => sizeof(float), OnnxType.Int64 => sizeof(long), _ => sizeof(bool) });
        var data = value.detach().to(CPU).to_type(type switch
        {
            OnnxType.Float32 => ScalarType.Float32,
            OnnxType.Int64 => ScalarType.Int64,
            _ => ScalarType.Bool,
        }).contiguous();
        return Constant(name, type, value.shape, data.bytes);
    }

    /// <summary>Adds a constant of one float32 number.</summary>
    /// <param name="value">The number.</param>
    /// <returns>The constant, without dimensions: it fits every shape.</returns>
    public OnnxValue Number(double value) =>
        Constant("number", OnnxType.Float32, [], MemoryMarshal.AsBytes((ReadOnlySpan<float>)[(float)value]));

    /// <summary>Adds a constant of int64 numbers, as axes and shapes are given.</summary>
    /// <param name="values">The numbers.</param>
    /// <returns>The constant, of one dimension.</returns>
    public OnnxValue Integers(params long[] values) => Constant("numbers", OnnxType.Int64, [values.Length], MemoryMarshal.AsBytes(values));

    /// <summary>Adds a node: one application of an operator of ONNX.</summary>
    /// <remarks>The operators: https://github.com/onnx/onnx/blob/main/docs/Operators.md</remarks>
    /// <param name="operation">The operator, as "Conv", in the version of <see cref="Opset"/>.</param>
    /// <param name="inputs">What it takes; null for an optional input that is left out.</param>
    /// <param name="shape">The shape of its result, in which <see cref="Batch"/> stands for the number of samples.</param>
    /// <param name="attributes">Its attributes.</param>
    /// <returns>The result, of type float32.</returns>
    /// <exception cref="ArgumentException">An input is of another graph.</exception>
    public OnnxValue Node(
        string operation, IReadOnlyList<OnnxValue?> inputs, IReadOnlyList<long> shape, params OnnxAttribute[] attributes) =>
        Node(operation, OnnxType.Float32, inputs, shape, attributes);

    /// <summary>Adds a node whose result is of a given type.</summary>
    /// <param name="operation">The operator, as "Conv", in the version of <see cref="Opset"/>.</param>
    /// <param name="type">The type of its result.</param>
    /// <param name="inputs">What it takes; null for an optional input that is left out.</param>
    /// <param name="shape">The shape of its result, in which <see cref="Batch"/> stands for the number of samples.</param>
    /// <param name="attributes">Its attributes.</param>
    /// <returns>The result.</returns>
    /// <exception cref="ArgumentException">An input is of another graph.</exception>
    public OnnxValue Node(
        string operation, OnnxType type, IReadOnlyList<OnnxValue?> inputs, IReadOnlyList<long> shape, params OnnxAttribute[] attributes)
    {
        ArgumentException.ThrowIfNullOrEmpty(operation);
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(attributes);
        foreach (var input in inputs)
        {
            CheckOwner(input, nameof(inputs));
        }

        var value = new OnnxValue(this, Unique(operation), type, [.. shape]);
        var node = new NodeProto { Name = value.Name, OpType = operation };
        node.Input.AddRange(inputs.Select(input => input?.Name ?? ""));
        node.Output.Add(value.Name);
        node.Attribute.AddRange(attributes.Select(attribute => attribute.ToProto()));
        _graph.Node.Add(node);
        return value;
    }

    /// <summary>Adds a module: its weights as constants and its work as nodes.</summary>
    /// <param name="module">
    /// One of this library's or TorchSharp's that ONNX export knows, or one that implements <see cref="IOnnxModule"/>. A decoder decodes
    /// the longest capsule of every sample.
    /// </param>
    /// <param name="input">What the module is applied to.</param>
    /// <returns>What the module makes of it.</returns>
    /// <exception cref="ArgumentException">The input does not fit the module.</exception>
    /// <exception cref="NotSupportedException">The module, or an option or part of it, cannot be exported.</exception>
    public OnnxValue Apply(nn.Module module, OnnxValue input)
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentNullException.ThrowIfNull(input);
        CheckOwner(input, nameof(input));
        var outer = _scope;
        _scope = Unique(module.GetName()) + "/";
        using var tensors = NewDisposeScope();      // those that weights are brought into ONNX's layout with
        try
        {
            return ModuleExport.Apply(this, module, input);
        }
        finally
        {
            _scope = outer;
        }
    }

    /// <summary>Adds an output.</summary>
    /// <param name="name">Its name, by which the result is read.</param>
    /// <param name="value">What it gives.</param>
    /// <exception cref="ArgumentException">The name is taken, or the value is of another graph.</exception>
    public void Output(string name, OnnxValue value)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(value);
        CheckOwner(value, nameof(value));
        Take(name);
        _outputs.Add(new OnnxValue(this, name, value.Type, [.. value.Shape]));
        var node = new NodeProto { Name = $"{name}/Identity", OpType = "Identity" };      // a node's result keeps its own name
        node.Input.Add(value.Name);
        node.Output.Add(name);
        _graph.Node.Add(node);
        _graph.Output.Add(Describe(name, value));
    }

    /// <summary>Writes the file, whole or not at all.</summary>
    /// <param name="path">The file, which is replaced where it exists.</param>
    /// <param name="metadata">Text by name that goes into the file. Default: none.</param>
    /// <exception cref="InvalidOperationException">The graph has no output.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be written.</exception>
    public void Save(string path, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var model = Model(metadata);
        WholeFile.Write(path, stream => model.WriteTo(stream));
    }

    /// <summary>The file's content.</summary>
    /// <param name="metadata">Text by name that goes into it. Default: none.</param>
    /// <returns>The bytes, which ONNX Runtime takes in place of a file.</returns>
    /// <exception cref="InvalidOperationException">The graph has no output.</exception>
    public byte[] ToArray(IReadOnlyDictionary<string, string>? metadata = null) => Model(metadata).ToByteArray();

    /// <summary>Throws unless a value has a shape, said in the letters of the documentation.</summary>
    internal static void CheckShape(string owner, OnnxValue input, string letters, params long?[] expected)
    {
        var fits = input.Shape.Count == expected.Length
            && input.Shape.Zip(expected).All(pair => pair.Second is null || pair.First == pair.Second);
        if (!fits)
        {
            var sizes = expected.Select((size, i) => size is { } given ? OnnxValue.Text([given])[1..^1] : letters.Split(", ")[i]);
            throw new ArgumentException(
                $"{owner} expected an input ({letters}) = ({string.Join(", ", sizes)}), but got {OnnxValue.Text(input.Shape)}. " +
                "Apply it to what it is applied to in the network.", nameof(input));
        }
    }

    private ModelProto Model(IReadOnlyDictionary<string, string>? metadata)
    {
        if (_outputs.Count == 0)
        {
            throw new InvalidOperationException("The graph has no output, so it would compute nothing. Name one with Output.");
        }

        var version = typeof(OnnxGraph).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
        var model = new ModelProto
        {
            IrVersion = IrVersion, ProducerName = "Capsules", ProducerVersion = version.Split('+')[0], Graph = _graph,
        };
        model.OpsetImport.Add(new OperatorSetIdProto { Version = Opset });
        foreach (var (key, text) in metadata ?? new Dictionary<string, string>())
        {
            model.MetadataProps.Add(new StringStringEntryProto { Key = key, Value = text });
        }

        return model;
    }

    private OnnxValue Constant(string name, OnnxType type, long[] shape, ReadOnlySpan<byte> data)
    {
        CheckRoom(data.Length, 1);
        _constantBytes += data.Length;
        var value = new OnnxValue(this, Unique(name), type, [.. shape]);
        var tensor = new TensorProto { Name = value.Name, DataType = (int)type, RawData = ByteString.CopyFrom(data) };
        tensor.Dims.AddRange(shape);
        _graph.Initializer.Add(tensor);
        return value;
    }

    private void CheckRoom(long elements, int size)
    {
        if (elements > (LargestFile - (1 << 20) - _constantBytes) / size)      // a rest for the nodes
        {
            throw new InvalidOperationException("The weights reach 2 GiB, which is more than one ONNX file may hold.");
        }
    }

    private static ValueInfoProto Describe(string name, OnnxValue value)
    {
        var shape = new TensorShapeProto();
        shape.Dim.AddRange(value.Shape.Select(size => size == Batch
            ? new TensorShapeProto.Types.Dimension { DimParam = "batch" }
            : new TensorShapeProto.Types.Dimension { DimValue = size }));
        return new ValueInfoProto
        {
            Name = name,
            Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)value.Type, Shape = shape } },
        };
    }

    private static OnnxType TypeOf(Tensor value) => value.dtype switch
    {
        ScalarType.Float32 or ScalarType.Float64 or ScalarType.Float16 or ScalarType.BFloat16 => OnnxType.Float32,
        ScalarType.Int64 => OnnxType.Int64,
        ScalarType.Bool => OnnxType.Bool,
        _ => throw new ArgumentException(
            $"A constant may be floating-point, Int64 or Bool, but is {value.dtype}. Convert it with to_type.", nameof(value)),
    };

    private void CheckOwner(OnnxValue? value, string argument)
    {
        if (value is not null && value.Graph != this)
        {
            throw new ArgumentException(
                $"{value.Name} is a value of another graph. A graph's nodes take the values of that graph.", argument);
        }
    }

    // Inputs and outputs have the very names that they are given.
    private void Take(string name)
    {
        if (!_used.TryAdd(name, 1))
        {
            throw new ArgumentException(
                $"The graph has a value '{name}' already. Inputs and outputs need names of their own.", nameof(name));
        }
    }

    // "CapsuleLayer/MatMul", and the second time "CapsuleLayer/MatMul_2".
    private string Unique(string name)
    {
        name = _scope + name;
        for (var candidate = name; ; candidate = string.Create(CultureInfo.InvariantCulture, $"{name}_{++_used[name]}"))
        {
            if (_used.TryAdd(candidate, 1))
            {
                return candidate;
            }
        }
    }
}
