using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Passes through a stack of layers with no Scalar that the collector could free while it is read.</summary>
internal static class SequentialCalls
{
    /// <summary>What <see cref="Sequential"/>'s own call gives. Hooks of batch normalisation and of leaky ReLU are not called.</summary>
    public static Tensor Through(this Sequential layers, Tensor input)
    {
        var x = input;
        foreach (var layer in layers.children())
        {
            var next = layer switch
            {
                BatchNorm norm => BatchNormalisation.Call(norm, x),
                LeakyReLU leaky => Leaky(leaky, x),
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

    private static Tensor Leaky(LeakyReLU layer, Tensor x)
    {
        using var slope = layer.negative_slope.ToScalar();
        return x.leaky_relu(slope);
    }
}
