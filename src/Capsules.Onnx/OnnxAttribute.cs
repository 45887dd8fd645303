using System.Diagnostics.CodeAnalysis;
using Capsules.Onnx.Schema;
using Google.Protobuf;

namespace Capsules.Onnx;

/// <summary>A named constant that belongs to a node, as the strides of a convolution.</summary>
[SuppressMessage("Naming", "CA1711", Justification = "That is what ONNX calls it.")]
public sealed class OnnxAttribute
{
    private readonly AttributeProto _proto;

    /// <summary>Makes an attribute that is an integer.</summary>
    /// <param name="name">Its name, as the operator has it.</param>
    /// <param name="value">Its value.</param>
    public OnnxAttribute(string name, long value) =>
        _proto = new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Int, I = value };

    /// <summary>Makes an attribute that is a float32 number.</summary>
    /// <param name="name">Its name, as the operator has it.</param>
    /// <param name="value">Its value.</param>
    public OnnxAttribute(string name, float value) =>
        _proto = new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Float, F = value };

    /// <summary>Makes an attribute that is a text.</summary>
    /// <param name="name">Its name, as the operator has it.</param>
    /// <param name="value">Its value.</param>
    public OnnxAttribute(string name, string value) => _proto = new AttributeProto
    {
        Name = name, Type = AttributeProto.Types.AttributeType.String, S = ByteString.CopyFromUtf8(value),
    };

    /// <summary>Makes an attribute that is a list of integers.</summary>
    /// <param name="name">Its name, as the operator has it.</param>
    /// <param name="values">Its values.</param>
    public OnnxAttribute(string name, IEnumerable<long> values)
    {
        _proto = new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Ints };
        _proto.Ints.AddRange(values);
    }

    internal AttributeProto ToProto() => _proto.Clone();
}
