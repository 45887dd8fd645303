using static TorchSharp.torch;

namespace Capsules;

/// <summary>The CUDA kernel of dynamic routing: whether it is in use, and why not.</summary>
public static class CudaRouting
{
    /// <summary>
    /// One sentence: that the CUDA kernel serves <see cref="DynamicRouting"/> on this machine's GPUs, or why torch operations do instead.
    /// </summary>
    /// <remarks>Asking loads the kernel where there is a GPU, which takes up to a few seconds the first time, and never throws.</remarks>
    public static string Status => cuda.is_available()
        ? "The CUDA kernel of dynamic routing is not built in: torch operations route on the GPU."
        : "The CUDA kernel of dynamic routing is not active: torch sees no GPU.";
}
