using static TorchSharp.torch;

namespace Capsules;

/// <summary>Transposed convolutional capsules along one dimension, which lengthen a sequence or signal, with any routing.</summary>
/// <remarks>
/// <para>Capsules (B, T, L, D) to (B, J, L', E), L' = (L - 1) stride - 2 padding + dilation (kernel - 1) + outputPadding + 1, as
/// ConvTranspose1d has it. Input position i reaches output position i * stride - padding + k * dilation for every kernel offset k;
/// an output capsule is routed from the inputs that reach it. State dict: at <see cref="GridCapsuleLayer"/>.</para>
/// <para>One axis of the deconvolutional capsules of LaLonde, Bagci, "Capsules for Object Segmentation", 2018.
/// https://arxiv.org/abs/1804.04241</para>
/// </remarks>
public sealed class ConvTransposeCapsuleLayer1d : GridCapsuleLayer
{
    /// <summary>Makes a layer.</summary>
    /// <param name="inTypes">T, the input capsule types, at least 1.</param>
    /// <param name="inDim">D, their dimension; P * P for matrices.</param>
    /// <param name="outTypes">J, the output capsule types, at least 1.</param>
    /// <param name="outDim">E, their dimension; P * P for matrices.</param>
    /// <param name="routing">
    /// The routing; it becomes part of this layer. Where it has sizes: inCapsules is kernel * T, outCapsules J, outDim E.
    /// </param>
    /// <param name="kernelSize">The kernel's length, at least 1. Default: 4.</param>
    /// <param name="stride">The stride, at least 1. Default: 2, which with the other defaults doubles the length.</param>
    /// <param name="padding">What is cut off on both sides, at least 0. Default: 1.</param>
    /// <param name="dilation">The distance between kernel elements, at least 1. Default: 1.</param>
    /// <param name="outputPadding">What the output is longer at its end, in [0, stride). Default: 0.</param>
    /// <param name="kind">Vectors (default) or matrices.</param>
    /// <param name="bias">Whether there is a bias (J, E), zero at first. Default: false.</param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of its range.</exception>
    /// <exception cref="ArgumentException">
    /// Dimensions do not fit the kind, the routing uses no bias, or the dtype is not floating-point.
    /// </exception>
    public ConvTransposeCapsuleLayer1d(
        long inTypes,
        long inDim,
        long outTypes,
        long outDim,
        Routing routing,
        long kernelSize = 4,
        long stride = 2,
        long padding = 1,
        long dilation = 1,
        long outputPadding = 0,
        CapsuleKind kind = CapsuleKind.Vector,
        bool bias = false,
        Device? device = null,
        ScalarType? dtype = null)
        : base(nameof(ConvTransposeCapsuleLayer1d), "L", inTypes, inDim, outTypes, outDim, routing,
            new KernelGrid(nameof(ConvTransposeCapsuleLayer1d), [kernelSize], [stride], [padding], [dilation], [outputPadding]), kind, bias, device, dtype)
    {
    }

    /// <summary>The length that an input's length becomes.</summary>
    /// <param name="length">L, the input's length.</param>
    /// <returns>L'.</returns>
    /// <exception cref="ArgumentException">Padding leaves nothing of the input.</exception>
    public long OutputShape(long length) => OutputGrid(length)[0];
}
