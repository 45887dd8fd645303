using System.Text.Json;
using static TorchSharp.torch;

namespace Capsules.Onnx;

/// <summary>Networks that end in one capsule per class, to ONNX in one call.</summary>
public static class OnnxExport
{
    /// <summary>The name of the metadata entry that holds the names of the classes, as a JSON list.</summary>
    public const string ClassNames = "class_names";

    /// <summary>
    /// Writes a network to an ONNX file, whole or not at all: from <c>images</c> (B, C, H, W), for any B, to <c>capsules</c> (B, J, E),
    /// <c>lengths</c> (B, J), and, where there is a decoder, the <c>reconstruction</c> (B, C, H, W) by the longest capsule.
    /// </summary>
    /// <param name="path">The file, which is replaced where it exists.</param>
    /// <param name="imageShape">The shape (C, H, W) of an image.</param>
    /// <param name="network">The modules, one after another, from images to capsules.</param>
    /// <param name="decoder">The decoder. Default: none.</param>
    /// <param name="classNames">The names of the classes, which go into the metadata. Default: none.</param>
    /// <exception cref="ArgumentException">A module does not fit what comes before it, or the end is not capsules (B, J, E).</exception>
    /// <exception cref="NotSupportedException">A module, or an option of one, cannot be exported: the message says which.</exception>
    /// <exception cref="InvalidOperationException">The file would reach 2 GiB, which ONNX does not allow.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be written.</exception>
    public static void Save(
        string path, long[] imageShape, IEnumerable<nn.Module> network, CapsuleDecoder? decoder = null, IEnumerable<string>? classNames = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(network);
        var graph = new OnnxGraph();
        var x = graph.Input("images", imageShape);
        foreach (var module in network)
        {
            x = graph.Apply(module, x);
        }

        graph.CapsuleOutputs(x, decoder);
        graph.Save(path, Metadata(classNames));
    }

    /// <summary>
    /// Adds the outputs of a network of class capsules: <c>capsules</c>, <c>lengths</c> and, with a decoder, <c>reconstruction</c>.
    /// </summary>
    /// <param name="graph">The graph.</param>
    /// <param name="capsules">The class capsules (B, J, E).</param>
    /// <param name="decoder">The decoder: one of this library's, or one that implements <see cref="IOnnxModule"/>. Default: none.</param>
    /// <exception cref="ArgumentException">The value is not (B, J, E), or does not fit the decoder.</exception>
    /// <exception cref="NotSupportedException">The decoder cannot be exported.</exception>
    public static void CapsuleOutputs(this OnnxGraph graph, OnnxValue capsules, nn.Module? decoder = null)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(capsules);
        OnnxGraph.CheckShape(nameof(CapsuleOutputs), capsules, "B, J, E", OnnxGraph.Batch, null, null);
        graph.Output("capsules", capsules);
        graph.Output("lengths", graph.Length(capsules));
        if (decoder is not null)
        {
            graph.Output("reconstruction", graph.Apply(decoder, capsules));
        }
    }

    /// <summary>Metadata that holds the names of the classes, for <see cref="OnnxGraph.Save"/>.</summary>
    /// <param name="classNames">The names in the order of the classes; null for none.</param>
    /// <returns>The metadata.</returns>
    public static IReadOnlyDictionary<string, string> Metadata(IEnumerable<string>? classNames) =>
        classNames is null ? new Dictionary<string, string>() : new() { [ClassNames] = JsonSerializer.Serialize(classNames) };
}
