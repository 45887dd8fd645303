using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>One way to compute dynamic routing, and how it stores its weights.</summary>
/// <param name="Name">As the reports call it.</param>
/// <param name="Route">From u (B, N, D), the weight in its own layout and the iterations to v (B, J, E).</param>
/// <param name="ToLayout">From (N, J, D, E) to its own layout.</param>
/// <param name="FromLayout">The way back.</param>
/// <param name="TrainingVotes">About how many times the memory of the votes its forward and backward take, as measured with D = 8.</param>
internal sealed record Implementation(
    string Name,
    Func<Tensor, Tensor, int, Tensor> Route,
    Func<Tensor, Tensor> ToLayout,
    Func<Tensor, Tensor> FromLayout,
    double TrainingVotes)
{
    public static Implementation Capsules { get; } = new("capsules", CapsulesRouting.Route, weight => weight, weight => weight, 0.2);

    public static Implementation Einsum { get; } = new("einsum", EinsumRouting.Route, EinsumRouting.ToLayout, EinsumRouting.FromLayout, 5);

    public static Implementation GramAi { get; } = new("gram-ai", GramAiRouting.Route, GramAiRouting.ToLayout, GramAiRouting.FromLayout, 19);

    public static Implementation Keras { get; } = new("keras", KerasRouting.Route, KerasRouting.ToLayout, KerasRouting.FromLayout, 8);

    public static Implementation Tiled { get; } = new("tiled", TiledRouting.Route, TiledRouting.ToLayout, TiledRouting.FromLayout, 32);

    public static IReadOnlyList<Implementation> Baselines { get; } = [Einsum, GramAi, Keras, Tiled];

    /// <summary>What an implementation may take at most, about, so that the benchmarks run on a usual machine.</summary>
    public const double MostBytes = 6.6e9;

    /// <summary>Whether a case fits into so much memory.</summary>
    public bool Fits(RoutingCase routingCase, double mostBytes = MostBytes) => TrainingVotes * routingCase.VoteBytes <= mostBytes;

    /// <summary>v without gradient.</summary>
    public Tensor Forward(CaseTensors tensors)
    {
        using var off = no_grad();
        return Route(tensors.Input, tensors.WeightOf(this), tensors.Case.Iterations);
    }

    /// <summary>v, du and dW, this in the implementation's own layout.</summary>
    public Tensor[] Gradients(CaseTensors tensors)
    {
        using var scope = NewDisposeScope();
        var (u, weight) = (tensors.Input, tensors.WeightOf(this));
        var v = Route(u, weight, tensors.Case.Iterations);
        var gradients = autograd.grad([v], [u, weight], [tensors.OutputGradient]);
        return [v.detach().MoveToOuterDisposeScope(), .. gradients.Select(gradient => gradient.MoveToOuterDisposeScope())];
    }

    /// <summary>Forward and backward; what they give is freed.</summary>
    public void Train(CaseTensors tensors)
    {
        foreach (var result in Gradients(tensors))
        {
            result.Dispose();
        }
    }
}
