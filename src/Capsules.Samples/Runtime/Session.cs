using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Makes torch ready, once, before it is first used.</summary>
internal static class Session
{
    /// <summary>Loads libtorch, sets memory and threads, and opens the device.</summary>
    /// <param name="device">One of <see cref="ComputeDevice.Names"/>.</param>
    /// <param name="threads">Threads of a computation on the CPU; 0 for torch's own choice, one for each core.</param>
    /// <exception cref="UserException">libtorch does not load, or the device is not there.</exception>
    public static Device Open(string device, int threads)
    {
        NativeMemory.KeepLargeBlocks();
        Libtorch.Load();
        try
        {
            if (threads > 0)
            {
                set_num_threads(threads);
            }
        }
        catch (TypeInitializationException failure) when (failure.InnerException is NotSupportedException)
        {
            throw new UserException("libtorch does not load. On Linux older than glibc 2.34 or GCC 13's libstdc++, see \"Requirements\" in the README.", failure);
        }

        return ComputeDevice.Open(device);
    }
}
