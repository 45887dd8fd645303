using static TorchSharp.torch;

namespace Capsules;

/// <summary>Convolutional capsules along one dimension, for text and signals, with any routing.</summary>
/// <remarks>
/// <para>Capsules (B, T, L, D) to (B, J, L', E), L' = floor((L + 2 padding - dilation (kernel - 1) - 1) / stride) + 1. What happens in
/// between, and the state dict, is said at <see cref="GridCapsuleLayer"/>. For texts of different lengths give <c>Route</c> a mask.</para>
/// </remarks>
public sealed class ConvCapsuleLayer1d : GridCapsuleLayer
{
    /// <summary>Makes a layer.</summary>
    /// <param name="inTypes">T, the input capsule types, at least 1.</param>
    /// <param name="inDim">D, their dimension; P * P for matrices.</param>
    /// <param name="outTypes">J, the output capsule types, at least 1.</param>
    /// <param name="outDim">E, their dimension; P * P for matrices.</param>
    /// <param name="routing">
    /// The routing; it becomes part of this layer. Where it has sizes: inCapsules is kernel * T, outCapsules J, outDim E.
    /// </param>
    /// <param name="kernelSize">The kernel's length, at least 1. Default: 3.</param>
    /// <param name="stride">The stride, at least 1. Default: 1.</param>
    /// <param name="padding">Absent capsules on both sides, at least 0. Default: 0.</param>
    /// <param name="dilation">The distance between kernel elements, at least 1. Default: 1.</param>
    /// <param name="kind">Vectors (default) or matrices.</param>
    /// <param name="bias">Whether there is a bias (J, E), zero at first. Default: false.</param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of its range.</exception>
    /// <exception cref="ArgumentException">
    /// Dimensions do not fit the kind, the routing uses no bias, or the dtype is not floating-point.
    /// </exception>
    public ConvCapsuleLayer1d(
        long inTypes,
        long inDim,
        long outTypes,
        long outDim,
        Routing routing,
        long kernelSize = 3,
        long stride = 1,
        long padding = 0,
        long dilation = 1,
        CapsuleKind kind = CapsuleKind.Vector,
        bool bias = false,
        Device? device = null,
        ScalarType? dtype = null)
        : base(nameof(ConvCapsuleLayer1d), "L", inTypes, inDim, outTypes, outDim, routing,
            new KernelGrid(nameof(ConvCapsuleLayer1d), [kernelSize], [stride], [padding], [dilation]), kind, bias, device, dtype)
    {
    }

    /// <summary>The length that an input's length becomes.</summary>
    /// <param name="length">L, the input's length.</param>
    /// <returns>L'.</returns>
    /// <exception cref="ArgumentException">The input is shorter than the kernel.</exception>
    public long OutputShape(long length) => OutputGrid(length)[0];
}
