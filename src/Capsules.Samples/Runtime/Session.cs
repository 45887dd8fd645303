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
        Allocator.KeepLargeBlocks();
        try
        {
            LibtorchLoader.Load();
        }
        catch (Exception failure) when (failure is DllNotFoundException or InvalidOperationException)
        {
            throw new UserException(failure.Message, failure);
        }

        try
        {
            _ = get_num_threads();      // the first touch of torch loads it
            if (threads > 0)
            {
                set_num_threads(threads);
            }

            var place = ComputeDevice.Open(device);
            Precision.Float32.Apply(place);
            return place;
        }
        catch (Exception failure) when (failure is TypeInitializationException or NotSupportedException or DllNotFoundException)
        {
            throw new UserException("libtorch does not load. See \"Requirements\" in the README; --verbose shows what was tried.", failure);
        }
    }
}
