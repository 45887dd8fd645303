using System.Collections.Concurrent;
using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>This library's routing as a user calls it, with the fused kernel forced: it fails rather than fall back.</summary>
internal static class CapsulesRouting
{
    // A layer makes its routing once, so building the module is no part of a call.
    private static readonly ConcurrentDictionary<int, DynamicRouting> Routings = new();

    /// <param name="u">Input capsules (B, N, D).</param>
    /// <param name="weight">(N, J, D, E).</param>
    /// <param name="iterations">Routing iterations.</param>
    public static Tensor Route(Tensor u, Tensor weight, int iterations)
    {
        using var scope = NewDisposeScope();
        var routing = Routings.GetOrAdd(iterations, count => new DynamicRouting(count, kernel: RoutingKernel.Fused));
        return routing.Route(new LinearVotes(u, weight)).Capsules.MoveToOuterDisposeScope();
    }
}
