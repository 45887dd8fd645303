namespace Capsules.Onnx;

/// <summary>
/// The votes of N input capsules for J output capsules in a graph: what <see cref="Votes"/> is to a routing in TorchSharp.
/// </summary>
/// <remarks>
/// Here votes are built, once, as (B, J, N, E), since ONNX has no operator that sums them without building them: then every
/// iteration of a routing is two matrix products over them.
/// </remarks>
public sealed class OnnxVotes
{
    private readonly OnnxValue _votes;

    internal OnnxVotes(OnnxGraph graph, OnnxValue votes) => (Graph, _votes) = (graph, votes);

    /// <summary>The graph.</summary>
    public OnnxGraph Graph { get; }

    /// <summary>J, the output capsules.</summary>
    public long OutCapsules => _votes.Shape[1];

    /// <summary>N, the input capsules.</summary>
    public long InCapsules => _votes.Shape[2];

    /// <summary>E, the dimension of an output capsule.</summary>
    public long OutDim => _votes.Shape[3];

    /// <summary>The sum of all votes, sum_i u_hat_ij.</summary>
    /// <returns>A value (B, J, E).</returns>
    public OnnxValue Sum() => Graph.Sum(_votes, 2);

    /// <summary>The coupled sum of votes, sum_i c_ij u_hat_ij.</summary>
    /// <param name="coupling">Coupling coefficients (B, J, N), or (1, J, N) for the same in every sample.</param>
    /// <returns>A value (B, J, E).</returns>
    /// <exception cref="ArgumentException">The coupling is of another shape.</exception>
    public OnnxValue WeightedSum(OnnxValue coupling)
    {
        ArgumentNullException.ThrowIfNull(coupling);
        var batch = coupling.Shape is [1, ..] ? 1 : OnnxGraph.Batch;
        OnnxGraph.CheckShape(nameof(WeightedSum), coupling, "B, J, N", batch, OutCapsules, InCapsules);
        var row = Graph.Unsqueeze(coupling, 2);
        return Graph.Squeeze(Graph.Node("MatMul", [row, _votes], [OnnxGraph.Batch, OutCapsules, 1, OutDim]), 2);
    }

    /// <summary>The agreement of every vote with an output vector, the scalar product of u_hat_ij and v_j.</summary>
    /// <param name="outputs">Output vectors (B, J, E).</param>
    /// <returns>A value (B, J, N).</returns>
    /// <exception cref="ArgumentException">The output vectors are of another shape.</exception>
    public OnnxValue Agreement(OnnxValue outputs)
    {
        ArgumentNullException.ThrowIfNull(outputs);
        OnnxGraph.CheckShape(nameof(Agreement), outputs, "B, J, E", OnnxGraph.Batch, OutCapsules, OutDim);
        var column = Graph.Unsqueeze(outputs, 3);
        return Graph.Squeeze(Graph.Node("MatMul", [_votes, column], [OnnxGraph.Batch, OutCapsules, InCapsules, 1]), 3);
    }

    /// <summary>The votes themselves.</summary>
    /// <returns>A value (B, J, N, E).</returns>
    public OnnxValue Materialize() => _votes;
}
