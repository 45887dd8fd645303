using System.Runtime.CompilerServices;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Passes through a stack of layers with no Scalar that the collector could free while it is read.</summary>
/// <remarks>
/// Batch normalisation and leaky ReLU are computed without their own call, so their hooks do not hear of it; <see cref="Watch"/> is for who must.
/// Other layers are called, a stack within the stack too.
/// </remarks>
internal static class SequentialCalls
{
    private static readonly ConditionalWeakTable<nn.Module, Action<Tensor, Tensor>> Watchers = [];

    /// <summary>Has input and output of a layer seen wherever it is computed without its call.</summary>
    public static void Watch(nn.Module layer, Action<Tensor, Tensor> seen) => Watchers.AddOrUpdate(layer, seen);

    /// <summary>What <see cref="Sequential"/>'s own call gives.</summary>
    public static Tensor Through(this Sequential layers, Tensor input)
    {
        var x = input;
        foreach (var layer in layers.children())
        {
            var next = layer switch
            {
                BatchNorm norm => Seen(norm, x, BatchNormalisation.Call(norm, x)),
                LeakyReLU leaky => Seen(leaky, x, Leaky(leaky, x)),
                nn.Module<Tensor, Tensor> other => other.call(x),
                _ => throw new InvalidOperationException($"A stack of layers cannot hold {layer.GetName()}."),
            };
            if (!ReferenceEquals(x, input) && !ReferenceEquals(x, next))
            {
                x.Dispose();
            }

            x = next;
        }

        return x;
    }

    /// <summary>Has what <see cref="Watch"/> was given see a layer that is computed without its call.</summary>
    /// <returns>The output.</returns>
    public static Tensor Seen(nn.Module layer, Tensor input, Tensor output)
    {
        if (Watchers.TryGetValue(layer, out var seen))
        {
            seen(input, output);
        }

        return output;
    }

    private static Tensor Leaky(LeakyReLU layer, Tensor x)
    {
        using var slope = layer.negative_slope.ToScalar();
        return x.leaky_relu(slope);
    }
}
