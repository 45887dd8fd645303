using TorchSharp;

namespace Capsules.Samples;

/// <summary>What a network's convolutions compute in; everything else is float32.</summary>
internal enum Precision
{
    Float32,
    BFloat16,
}

/// <summary>From a precision to what the library's layers take.</summary>
internal static class PrecisionExtensions
{
    /// <summary>The compute dtype of convolutions; null for the weights' own.</summary>
    public static torch.ScalarType? ComputeDtype(this Precision precision) => precision == Precision.BFloat16 ? torch.ScalarType.BFloat16 : null;
}
