using static TorchSharp.torch;

namespace Capsules;

/// <summary>Convolutional capsules on a two-dimensional grid, with any routing.</summary>
/// <remarks>
/// <para>Capsules (B, T, H, W, D) to (B, J, H', W', E), H' = floor((H + 2 padding - dilation (kernel - 1) - 1) / stride) + 1. What
/// happens in between, and the state dict, is said at <see cref="GridCapsuleLayer"/>.</para>
/// <para>Hinton, Sabour, Frosst, "Matrix capsules with EM routing", 2018, section 4 (ConvCaps).
/// https://openreview.net/forum?id=HJWLfGWRb</para>
/// <code>var (poses, activations) = layer.Route(poses, activations);</code>
/// </remarks>
public sealed class ConvCapsuleLayer : GridCapsuleLayer
{
    /// <summary>Makes a layer with a square kernel.</summary>
    /// <param name="inTypes">T, the input capsule types, at least 1.</param>
    /// <param name="inDim">D, their dimension; P * P for matrices.</param>
    /// <param name="outTypes">J, the output capsule types, at least 1.</param>
    /// <param name="outDim">E, their dimension; P * P for matrices.</param>
    /// <param name="routing">
    /// The routing; it becomes part of this layer. Where it has sizes: inCapsules is kernel * kernel * T, outCapsules J, outDim E.
    /// </param>
    /// <param name="kernelSize">The kernel's height and width, at least 1. Default: 3.</param>
    /// <param name="stride">The stride, at least 1. Default: 1.</param>
    /// <param name="padding">Absent capsules on every side, at least 0. Default: 0.</param>
    /// <param name="dilation">The distance between kernel elements, at least 1. Default: 1.</param>
    /// <param name="kind">Vectors (default) or matrices.</param>
    /// <param name="bias">Whether there is a bias (J, E), zero at first. Default: false.</param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of its range.</exception>
    /// <exception cref="ArgumentException">
    /// Dimensions do not fit the kind, the routing uses no bias, or the dtype is not floating-point.
    /// </exception>
    public ConvCapsuleLayer(
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
        : this(inTypes, inDim, outTypes, outDim, routing,
            (kernelSize, kernelSize), (stride, stride), (padding, padding), (dilation, dilation), kind, bias, device, dtype)
    {
    }

    /// <summary>Makes a layer with a rectangular kernel; sizes are (height, width).</summary>
    /// <param name="inTypes">T, the input capsule types, at least 1.</param>
    /// <param name="inDim">D, their dimension; P * P for matrices.</param>
    /// <param name="outTypes">J, the output capsule types, at least 1.</param>
    /// <param name="outDim">E, their dimension; P * P for matrices.</param>
    /// <param name="routing">The routing; it becomes part of this layer.</param>
    /// <param name="kernelSize">The kernel's size, at least 1.</param>
    /// <param name="stride">The stride, at least 1.</param>
    /// <param name="padding">Absent capsules on every side, at least 0.</param>
    /// <param name="dilation">The distance between kernel elements, at least 1.</param>
    /// <param name="kind">Vectors (default) or matrices.</param>
    /// <param name="bias">Whether there is a bias (J, E), zero at first. Default: false.</param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of its range.</exception>
    /// <exception cref="ArgumentException">
    /// Dimensions do not fit the kind, the routing uses no bias, or the dtype is not floating-point.
    /// </exception>
    public ConvCapsuleLayer(
        long inTypes,
        long inDim,
        long outTypes,
        long outDim,
        Routing routing,
        (long Height, long Width) kernelSize,
        (long Height, long Width) stride,
        (long Height, long Width) padding,
        (long Height, long Width) dilation,
        CapsuleKind kind = CapsuleKind.Vector,
        bool bias = false,
        Device? device = null,
        ScalarType? dtype = null)
        : base(nameof(ConvCapsuleLayer), "H, W", inTypes, inDim, outTypes, outDim, routing,
            new KernelGrid(nameof(ConvCapsuleLayer), Pair(kernelSize), Pair(stride), Pair(padding), Pair(dilation)),
            kind, bias, device, dtype)
    {
    }

    /// <summary>The grid that an input's grid becomes.</summary>
    /// <param name="height">H, the input's height.</param>
    /// <param name="width">W, the input's width.</param>
    /// <returns>H' and W'.</returns>
    /// <exception cref="ArgumentException">The grid is smaller than the kernel.</exception>
    public (long Height, long Width) OutputShape(long height, long width) => OutputGrid(height, width) is [var h, var w] ? (h, w) : default;

    private static long[] Pair((long Height, long Width) size) => [size.Height, size.Width];
}
