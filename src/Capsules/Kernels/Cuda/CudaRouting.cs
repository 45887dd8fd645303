using static TorchSharp.torch;

namespace Capsules;

/// <summary>The CUDA kernel of dynamic routing: whether it is in use, and why not.</summary>
public static class CudaRouting
{
    /// <summary>
    /// One sentence: that the CUDA kernel serves <see cref="DynamicRouting"/> on this machine's GPUs, or why torch operations do instead.
    /// </summary>
    /// <remarks>
    /// Asking loads the kernel for float32 where there is a GPU, which takes up to a few seconds the first time, and never throws. On each
    /// GPU the first call with tensors of a dtype decides until the program ends, so that its results are of one kind even where a failure, for want of memory
    /// for one, might pass: a new process tries again.
    /// </remarks>
    public static string Status
    {
        get
        {
            if (!cuda.is_available())
            {
                return "The CUDA kernel of dynamic routing is not active: torch sees no GPU.";
            }

            var served = new List<int>();
            for (var device = 0; device < cuda.device_count(); device++)
            {
                if (CudaKernels.For(device, ScalarType.Float32, out var reason) is null)
                {
                    return $"The CUDA kernel of dynamic routing is not active on GPU {device}, where torch operations serve: {reason}";
                }

                served.Add(device);
            }

            return served.Count == 1
                ? "The CUDA kernel of dynamic routing is active."
                : $"The CUDA kernel of dynamic routing is active on GPUs {string.Join(", ", served)}.";
        }
    }
}
