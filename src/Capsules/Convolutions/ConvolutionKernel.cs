namespace Capsules;

/// <summary>How a convolution is computed. All compute the same function; they differ in speed and in the last digits of float32.</summary>
public enum ConvolutionKernel
{
    /// <summary>
    /// The fastest for the sizes at hand on the CPU in float32, and in dtypes that it computes in float32; torch's own convolution
    /// otherwise. The default.
    /// </summary>
    Automatic,

    /// <summary>
    /// Minimal filtering (Winograd): strided kernels are split into phases and tiles, which for a 9 x 9 kernel with stride 2 takes
    /// 4.3 times fewer products. CPU, float32 and bfloat16, dilation 1, at most 6 taps per phase along an axis, images of at most 2^22
    /// pixels with their padding; otherwise it throws.
    /// </summary>
    /// <remarks>
    /// Winograd, "Arithmetic Complexity of Computations", 1980; Lavin, Gray, "Fast Algorithms for Convolutional Neural Networks",
    /// 2016. Errors are a few times those of the direct sum in float32, a thousand times below bfloat16's.
    /// </remarks>
    Winograd,

    /// <summary>
    /// Gradients by matrix products of patches unfolded into columns (im2col), the output by torch's convolution, both a few images at a
    /// time: fast in training where there are few input channels, as in a first layer. Any floating-point dtype and device.
    /// </summary>
    Unfold,

    /// <summary>torch's own convolution.</summary>
    Reference,
}
