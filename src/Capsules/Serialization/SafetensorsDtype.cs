using static TorchSharp.torch;

namespace Capsules;

/// <summary>The dtypes of the safetensors format, and torch's beside them.</summary>
internal static class SafetensorsDtype
{
    // Bits of an element. Types that TorchSharp lacks are here all the same: a file with one is still checked and its others read.
    private static readonly Dictionary<string, int> BitsOf = new()
    {
        ["BOOL"] = 8, ["F4"] = 4, ["F6_E2M3"] = 6, ["F6_E3M2"] = 6, ["U8"] = 8, ["I8"] = 8,
        ["F8_E5M2"] = 8, ["F8_E4M3"] = 8, ["F8_E8M0"] = 8, ["I16"] = 16, ["U16"] = 16, ["F16"] = 16, ["BF16"] = 16,
        ["I32"] = 32, ["U32"] = 32, ["F32"] = 32, ["C64"] = 64, ["F64"] = 64, ["I64"] = 64, ["U64"] = 64,
    };

    private static readonly Dictionary<ScalarType, string> NameOf = new()
    {
        [ScalarType.Bool] = "BOOL", [ScalarType.Byte] = "U8", [ScalarType.Int8] = "I8", [ScalarType.Int16] = "I16", [ScalarType.Float16] = "F16",
        [ScalarType.BFloat16] = "BF16", [ScalarType.Int32] = "I32", [ScalarType.Float32] = "F32", [ScalarType.ComplexFloat32] = "C64",
        [ScalarType.Float64] = "F64", [ScalarType.Int64] = "I64",
    };

    private static readonly Dictionary<string, ScalarType> TypeOf = NameOf.ToDictionary(pair => pair.Value, pair => pair.Key);

    /// <summary>Bits of an element of a named dtype; null for a name that the format does not have.</summary>
    public static int? Bits(string name) => BitsOf.TryGetValue(name, out var bits) ? bits : null;

    /// <summary>The name of a dtype of torch's; null where the format has none for it.</summary>
    public static string? Name(ScalarType type) => NameOf.GetValueOrDefault(type);

    /// <summary>TorchSharp's dtype of a name; null where it has none for it.</summary>
    public static ScalarType? Type(string name) => TypeOf.TryGetValue(name, out var type) ? type : null;
}
