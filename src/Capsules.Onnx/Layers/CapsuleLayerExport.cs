namespace Capsules.Onnx;

/// <summary><see cref="CapsuleLayer"/>: votes, then the routing's iterations one after another.</summary>
internal static class CapsuleLayerExport
{
    public static OnnxValue Apply(OnnxGraph graph, CapsuleLayer layer, OnnxValue input)
    {
        OnnxGraph.CheckShape(nameof(CapsuleLayer), input, "B, N, D", OnnxGraph.Batch, layer.InCapsules, layer.InDim);
        if (layer.Kind != CapsuleKind.Vector)
        {
            throw ModuleExport.Unsupported(layer, "CapsuleLayer with matrix capsules");
        }

        var bias = layer.Bias is { } given ? graph.Constant("bias", given) : null;
        var logits = layer.Logits is { } learned ? graph.Constant("logits", learned.detach().t().unsqueeze(0)) : null;
        return RoutingExport.Apply(layer, Votes(graph, layer, input), bias, logits);
    }

    // Of each group of input capsules that share their matrices one product, (B * P, D) by (D, J * E), brought to (B, J, N, E).
    private static OnnxVotes Votes(OnnxGraph graph, CapsuleLayer layer, OnnxValue input)
    {
        var weight = layer.Weight.detach();                               // (G, J, D, E)
        var (groups, n, j, e) = (weight.size(0), layer.InCapsules, layer.OutCapsules, layer.OutDim);
        var matrices = weight.permute(0, 2, 1, 3).reshape(groups, layer.InDim, j * e);      // (G, D, J * E)
        if (groups == n)
        {
            var rows = graph.Permute(input, 1, 0, 2);                                       // (N, B, D)
            var products = graph.Node("MatMul", [rows, graph.Constant("weight", matrices)], [n, OnnxGraph.Batch, j * e]);
            return new OnnxVotes(graph, graph.Permute(graph.Reshape(products, n, OnnxGraph.Batch, j, e), 1, 2, 0, 3));
        }

        var shared = n / groups;
        var blocks = graph.Reshape(input, OnnxGraph.Batch, groups, shared, layer.InDim);    // (B, G, P, D)
        var votes = graph.Node("MatMul", [blocks, graph.Constant("weight", matrices)], [OnnxGraph.Batch, groups, shared, j * e]);
        return new OnnxVotes(graph, graph.Permute(graph.Reshape(votes, OnnxGraph.Batch, n, j, e), 0, 2, 1, 3));
    }
}
