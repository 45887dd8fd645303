using System.Collections.Concurrent;
using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>This library's routing as a user calls it, with the fused kernel forced: it fails rather than fall back without a word.</summary>
internal static class CapsulesRouting
{
    // A layer makes its routing once, so building the module is no part of a call.
    private static readonly ConcurrentDictionary<int, DynamicRouting> Routings = new();

    /// <summary>What routes. Anything but the fused kernel is told in the report.</summary>
    public static RoutingKernel Kernel { get; private set; } = RoutingKernel.Fused;

    /// <summary>Where the fused kernel does not serve a device, lets the library choose.</summary>
    /// <returns>Null; or why the fused kernel does not serve.</returns>
    public static string? FallBackOn(Device device)
    {
        try
        {
            using var scope = NewDisposeScope();
            var votes = new LinearVotes(ones([2, 6, 8], device: device), ones([6, 10, 8, 16], device: device));
            _ = new DynamicRouting(2, kernel: RoutingKernel.Fused).Route(votes);
            return null;
        }
        catch (NotSupportedException failure)
        {
            Kernel = RoutingKernel.Automatic;
            return failure.Message;
        }
    }

    /// <param name="u">Input capsules (B, N, D).</param>
    /// <param name="weight">(N, J, D, E).</param>
    /// <param name="iterations">Routing iterations.</param>
    public static Tensor Route(Tensor u, Tensor weight, int iterations)
    {
        using var scope = NewDisposeScope();
        var routing = Routings.GetOrAdd(iterations, count => new DynamicRouting(count, kernel: Kernel));
        return routing.Route(new LinearVotes(u, weight)).Capsules.MoveToOuterDisposeScope();
    }
}
