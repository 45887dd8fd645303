namespace Capsules.Onnx;

/// <summary>A module that writes itself down for ONNX: how a network of your own takes part in <see cref="OnnxGraph.Apply"/>.</summary>
public interface IOnnxModule
{
    /// <summary>Adds what the module computes, in inference, to a graph.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="input">What the module is applied to.</param>
    /// <returns>What the module makes of it.</returns>
    OnnxValue Export(OnnxGraph graph, OnnxValue input);
}
