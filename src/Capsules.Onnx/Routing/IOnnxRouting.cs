namespace Capsules.Onnx;

/// <summary>A <see cref="Routing"/> that writes itself down for ONNX, with its iterations one after another.</summary>
public interface IOnnxRouting
{
    /// <summary>Adds the routing of votes to a graph.</summary>
    /// <param name="votes">The votes, with the graph that they are in.</param>
    /// <param name="bias">The layer's bias (J, E), or null.</param>
    /// <param name="logits">The layer's initial logits (1, J, N), or null.</param>
    /// <returns>The output capsules (B, J, E).</returns>
    OnnxValue Export(OnnxVotes votes, OnnxValue? bias, OnnxValue? logits);
}
