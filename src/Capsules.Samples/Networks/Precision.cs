using TorchSharp;

namespace Capsules.Samples;

/// <summary>What a network's convolutions compute in, with TF32 its matrix products too; everything else is float32.</summary>
internal enum Precision
{
    Float32,
    BFloat16,

    /// <summary>Of the GPU: float32 whose products are of operands rounded to 10 bits.</summary>
    Tf32,
}

/// <summary>From a precision to what the library's layers take.</summary>
internal static class PrecisionExtensions
{
    /// <summary>The compute dtype of convolutions; null for the weights' own.</summary>
    public static torch.ScalarType? ComputeDtype(this Precision precision) => precision == Precision.BFloat16 ? torch.ScalarType.BFloat16 : null;

    /// <summary>Tells libtorch. On CUDA it would otherwise round the operands of float32 convolutions, and those alone.</summary>
    public static void Apply(this Precision precision, torch.Device device)
    {
        if (device.type == DeviceType.CUDA)
        {
            var rounds = precision == Precision.Tf32;
            (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) = (rounds, rounds);
        }
    }
}
