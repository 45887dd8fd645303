using static TorchSharp.torch;

namespace Capsules;

public static partial class Functional
{
    /// <summary>Routes through several layers at once: each pass updates each layer from what its neighbours were before it.</summary>
    /// <remarks>
    /// <para>The first pass goes through the layers in order, with uniform coupling. In each later pass all layers are updated from the
    /// input capsules and output capsules of the pass before. Sequential routing instead finishes one layer's iterations before the
    /// next layer begins, which is what the layers do when they are simply called in order.</para>
    /// <para>Tsai, Srivastava, Goh, Salakhutdinov, "Capsules with Inverted Dot-Product Attention Routing", 2020.
    /// https://arxiv.org/abs/2002.04764</para>
    /// <code>var classes = F.route_concurrently(capsules, 2, first.Update, second.Update);</code>
    /// </remarks>
    /// <param name="input">The input capsules of the first layer.</param>
    /// <param name="iterations">Passes, at least 1; 1 is the uniform pass alone.</param>
    /// <param name="updates">
    /// The layers, as functions of their input capsules and their own output capsules of the pass before (null in the first): the
    /// layers' <c>Update</c>, or functions around it that reshape. The layers need a routing with <see cref="Routing.Update"/>.
    /// </param>
    /// <returns>The output capsules of the last layer.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="iterations"/> is less than 1.</exception>
    /// <exception cref="ArgumentException">There are no layers.</exception>
    public static Tensor route_concurrently(Tensor input, int iterations, params Func<Tensor, Tensor?, Tensor>[] updates)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(updates);
        ArgumentOutOfRangeException.ThrowIfLessThan(iterations, 1);
        if (updates.Length == 0)
        {
            throw new ArgumentException("route_concurrently expected at least one layer in updates.", nameof(updates));
        }

        using var scope = NewDisposeScope();
        var states = new Tensor[updates.Length];
        for (var layer = 0; layer < updates.Length; layer++)
        {
            states[layer] = updates[layer](layer == 0 ? input : states[layer - 1], null);
        }

        for (var pass = 1; pass < iterations; pass++)
        {
            // A state needs as many further passes as there are layers above it to be felt in the result: later ones are not made.
            var lowest = updates.Length - (iterations - pass);
            states =
            [
                .. updates.Select((update, layer) =>
                    layer < lowest ? states[layer] : update(layer == 0 ? input : states[layer - 1], states[layer])),
            ];
        }

        return states[^1].MoveToOuterDisposeScope();
    }
}
