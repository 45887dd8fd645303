namespace Capsules.Onnx;

/// <summary>Which routings are written, and how; see their own classes for the equations.</summary>
internal static class RoutingExport
{
    public const string Known =
        "Exported are layers of vector capsules with DynamicRouting, SelfAttentionRouting or UniformRouting, or a routing that " +
        "implements IOnnxRouting.";

    public static OnnxValue Apply(CapsuleLayer layer, OnnxVotes votes, OnnxValue? bias, OnnxValue? logits) => layer.Routing switch
    {
        IOnnxRouting own => own.Export(votes, bias, logits),
        DynamicRouting routing => Route(routing, votes, bias, logits),
        SelfAttentionRouting routing => Route(routing, votes, bias, logits),
        UniformRouting => Squashed(votes, UniformSum(votes, 1.0 / votes.OutCapsules), bias),
        var routing => throw ModuleExport.Unsupported(layer, $"CapsuleLayer with {routing.GetName()}"),
    };

    private static OnnxValue Route(DynamicRouting routing, OnnxVotes votes, OnnxValue? bias, OnnxValue? logits)
    {
        var graph = votes.Graph;
        var c = logits is null ? null : Coupling(graph, routing, logits);
        OnnxValue? sum = null;
        for (var t = 1; t < routing.Iterations; t++)
        {
            var v = Squashed(votes, Coupled(routing, votes, c), bias);
            sum = sum is null ? v : graph.Plus(sum, v);
            var agreement = votes.Agreement(sum);
            c = Coupling(graph, routing, logits is null ? agreement : graph.Plus(agreement, logits));
        }

        return Squashed(votes, Coupled(routing, votes, c), bias);
    }

    private static OnnxValue Route(SelfAttentionRouting routing, OnnxVotes votes, OnnxValue? bias, OnnxValue? logits)
    {
        var graph = votes.Graph;
        var agreement = graph.Times(votes.Agreement(votes.Sum()), 1 / Math.Sqrt(votes.OutDim));
        var c = graph.Softmax(logits is null ? agreement : graph.Plus(agreement, logits), 1);
        c = routing.get_parameter("prior") is { } prior ? graph.Plus(c, graph.Constant("prior", prior.detach().t().unsqueeze(0))) : c;
        var s = votes.WeightedSum(c);
        return graph.ExponentialSquash(bias is null ? s : graph.Plus(s, bias));
    }

    private static OnnxValue Coupled(DynamicRouting routing, OnnxVotes votes, OnnxValue? coupling) =>
        coupling is null ? UniformSum(votes, routing.InitialCoupling(votes.OutCapsules)) : votes.WeightedSum(coupling);

    // The softmax over J of logits (., J, N); leaky with an orphan class of logit 0 before them, whose share is left out again.
    private static OnnxValue Coupling(OnnxGraph graph, DynamicRouting routing, OnnxValue logits)
    {
        if (!routing.Leaky)
        {
            return graph.Softmax(logits, 1);
        }

        var (batch, j, n) = (logits.Shape[0], logits.Shape[1], logits.Shape[2]);
        var padded = graph.Node("Pad", [logits, graph.Integers(0, 1, 0, 0, 0, 0)], [batch, j + 1, n]);      // with zeros
        return graph.Node(
            "Slice", [graph.Softmax(padded, 1), graph.Integers([1]), graph.Integers([j + 1]), graph.Integers([1])], [batch, j, n]);
    }

    private static OnnxValue UniformSum(OnnxVotes votes, double coefficient) => votes.Graph.Times(votes.Sum(), coefficient);

    private static OnnxValue Squashed(OnnxVotes votes, OnnxValue s, OnnxValue? bias) =>
        votes.Graph.Squash(bias is null ? s : votes.Graph.Plus(s, bias));
}
