using System.Diagnostics;
using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>A process that holds one network and measures it when told to, one line for one number.</summary>
/// <remarks>The allocator's settings hold for a process, so each variant has its own, and the parent takes them in turn.</remarks>
internal static class NetworkChild
{
    public const string Name = "network-child";

    /// <summary>Arguments: the network, the batch, threads (0: libtorch's own choice), the device.</summary>
    public static int Run(string[] args)
    {
        if (TrainedNetwork.KeepsMemory(args[0]))
        {
            Allocator.KeepLargeBlocks();
        }

        if (int.Parse(args[2]) is > 0 and var threads)
        {
            set_num_threads(threads);
        }

        var device = CompareCommand.Open(args[3]);
        using var network = TrainedNetwork.Make(args[0], device);
        var (images, labels) = NetworkWeights.Batch(int.Parse(args[1]), seed: 7);
        (images, labels) = (images.to(device), labels.to(device));
        var convolutions = network.Convolutions(images);
        while (Console.ReadLine() is { } order)
        {
            var value = order switch
            {
                "step" => network.Step(images, labels),
                "train" => Milliseconds(() => network.Step(images, labels), device),
                "infer" => Milliseconds(() => network.Predict(images).Dispose(), device),
                "convolutions" => convolutions is null ? double.NaN : Milliseconds(convolutions, device),
                "memory" => PeakMemory.IsAvailable && device.type == DeviceType.CPU ? PeakMemory.Of(() => network.Step(images, labels), calls: 3) / 1e6 : double.NaN,
                _ => throw new InvalidOperationException($"'{order}' is no order."),
            };
            Console.WriteLine(value.ToString("r"));
        }

        return 0;
    }

    // Per call, of several calls: on a GPU they take a tenth of the time, and are waited for at the end. The call before them is not counted: it finds the caches full of what the other networks left there.
    private static double Milliseconds(Action action, Device device)
    {
        var isOnGpu = device.type == DeviceType.CUDA;
        var calls = isOnGpu ? 30 : 3;
        action();
        Settle();
        var start = Stopwatch.GetTimestamp();
        for (var call = 0; call < calls; call++)
        {
            action();
        }

        Settle();
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds / calls;

        void Settle()
        {
            if (isOnGpu)
            {
                cuda.synchronize();
            }
        }
    }
}
