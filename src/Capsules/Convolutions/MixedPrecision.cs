using System.Runtime.Intrinsics.X86;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>Where computing in a shorter dtype than the weights' pays.</summary>
/// <remarks>
/// The pattern: parameters stay float32 (the optimiser's master weights); a layer with a compute dtype rounds its operands to it
/// in every call, through autograd, so that gradients reach the parameters in float32.
/// </remarks>
public static class MixedPrecision
{
    // AMX-BF16: CPUID leaf 7, subleaf 0, EDX bit 22. AVX512-BF16: leaf 7, subleaf 1, EAX bit 5. .NET has no property for either; that
    // the system saves the registers follows from AVX-512's being usable. Intel's processors since 2023 have a fast unit for AMX
    // alone: their AVX512-BF16 took twice as long as float32 for a matrix product, and some hosts hide AMX from their guests.
    private static readonly bool CpuHasBFloat16 = X86Base.IsSupported && Avx512F.IsSupported && X86Base.CpuId(0, 0).Eax >= 7
        && ((X86Base.CpuId(7, 0).Edx & (1 << 22)) != 0 || ((X86Base.CpuId(7, 1).Eax & (1 << 5)) != 0 && !IsIntel()));

    /// <summary>Whether a device multiplies a dtype at least as fast as float32.</summary>
    /// <param name="dtype">A floating-point dtype.</param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <returns>
    /// True for float32 and float64; for bfloat16 on a CPU with AMX-BF16, or with AVX512-BF16 unless it is Intel's, where that is
    /// slower than float32, and on any other device; for float16 on any device but the CPU.
    /// </returns>
    public static bool IsFast(ScalarType dtype, Device? device = null) => dtype switch
    {
        ScalarType.Float32 or ScalarType.Float64 => true,
        ScalarType.BFloat16 => device is { type: not DeviceType.CPU } || CpuHasBFloat16,
        ScalarType.Float16 => device is { type: not DeviceType.CPU },
        _ => false,
    };

    /// <summary>The dtype in which products of a tensor are computed: its own, or float32 where its own is slow. They are exact in it.</summary>
    internal static ScalarType Computed(Tensor tensor) => IsFast(tensor.dtype, tensor.device) ? tensor.dtype : ScalarType.Float32;

    /// <summary>Throws unless a dtype can be computed in.</summary>
    internal static void Check(string owner, ScalarType? computeDtype)
    {
        if (computeDtype is not (null or ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float32 or ScalarType.Float64))
        {
            throw new ArgumentException($"{owner} expected a floating-point computeDtype, but got {computeDtype}. Use bfloat16 or float32.", nameof(computeDtype));
        }
    }

    /// <summary>Throws unless an input has the dtype of the weight or the compute dtype, on the weight's device.</summary>
    internal static void CheckInput(string owner, Tensor input, Tensor weight, ScalarType? computeDtype)
    {
        if (input.dtype == computeDtype)
        {
            ShapeGuard.SameDevice(owner, input, nameof(input), weight.device, nameof(weight));
            return;
        }

        ShapeGuard.Like(owner, input, nameof(input), weight, nameof(weight));
    }

    // The vendor's name, "GenuineIntel", in EBX, EDX, ECX.
    private static bool IsIntel() => X86Base.CpuId(0, 0) is { Ebx: 0x756E6547, Edx: 0x49656E69, Ecx: 0x6C65746E };
}
