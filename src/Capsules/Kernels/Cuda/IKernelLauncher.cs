using static TorchSharp.torch;

namespace Capsules;

/// <summary>Something that runs the kernels of routing.cu, compiled for tensors of one dtype, on their memory.</summary>
internal interface IKernelLauncher
{
    /// <summary>The dtype of u, weight, bias, logits and their gradients.</summary>
    ScalarType Dtype { get; }

    /// <summary>Multiprocessors of the device, among which the work is divided.</summary>
    int Multiprocessors { get; }

    /// <summary>Runs a kernel after all work that was given to the device before, without waiting for it.</summary>
    /// <param name="kernel">Its name.</param>
    /// <param name="gridX">Blocks of the grid.</param>
    /// <param name="gridY">Its height.</param>
    /// <param name="threads">Threads of a block.</param>
    /// <param name="sharedBytes">Shared memory of a block.</param>
    /// <param name="arguments">The kernel's one argument.</param>
    /// <exception cref="InvalidOperationException">The kernel could not be launched.</exception>
    void Launch<TArguments>(string kernel, int gridX, int gridY, int threads, int sharedBytes, in TArguments arguments)
        where TArguments : unmanaged;
}
