using System.Diagnostics.CodeAnalysis;

namespace Capsules.Onnx;

/// <summary>What the numbers of an <see cref="OnnxValue"/> are; the numbers are ONNX's own for these types.</summary>
[SuppressMessage("Naming", "CA1720", Justification = "They are types.")]
public enum OnnxType
{
    /// <summary>float32: images, weights, capsules.</summary>
    Float32 = 1,

    /// <summary>int64: indices and shapes.</summary>
    Int64 = 7,

    /// <summary>Truth values: masks.</summary>
    Bool = 9,
}
