using Capsules.Samples;
using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>How much memory of the GPU forward and backward of a case take, measured in a process of its own.</summary>
/// <remarks>
/// libtorch's allocator keeps what it has taken from the driver, and TorchSharp does not tell how much of it is in use. In a process in which nothing
/// of size has been freed yet, what the driver has less of after a call is the call's peak, and more where pieces did not fit together: an
/// upper bound, in steps of up to 20 MB.
/// </remarks>
internal static class GpuMemory
{
    public const string ChildName = "gpu-memory-child";

    /// <summary>Megabytes; null where the process did not end with a number, and then its message is on standard error.</summary>
    public static double? Of(Implementation implementation, RoutingCase routingCase) =>
        SelfProcess.Run(ChildName, implementation.Name, routingCase.Name) is var text && double.TryParse(text, out var bytes)
            ? bytes / 1e6
            : null;

    /// <summary>The process's part. Arguments: the implementation, the case.</summary>
    public static int Run(string[] args)
    {
        var device = CompareCommand.Open("cuda");
        _ = CapsulesRouting.FallBackOn(device);
        var implementation = Implementation.Baselines.Prepend(Implementation.Capsules).First(one => one.Name == args[0]);
        var routingCase = RoutingCase.OfGpu.First(one => one.Name == args[1]);

        // Code, and the work space of matrix products, which belong to the process and not to a call.
        Train(new RoutingCase("warm-up", 32, routingCase.InDim, routingCase.OutCapsules, routingCase.OutDim, 1));
        Console.WriteLine(Train(routingCase).ToString());
        return 0;

        long Train(RoutingCase which)
        {
            using var tensors = new CaseTensors(which, [implementation], device);
            cuda.synchronize();
            var before = CudaDriver.Memory().Free;
            implementation.Train(tensors);
            cuda.synchronize();
            return before - CudaDriver.Memory().Free;
        }
    }
}
