using static TorchSharp.torch;

namespace Capsules.Onnx;

/// <summary><see cref="PrimaryCapsule"/> and <see cref="DepthwisePrimaryCapsule"/>.</summary>
internal static class PrimaryCapsuleExport
{
    public static OnnxValue Apply(OnnxGraph graph, PrimaryCapsule layer, OnnxValue input)
    {
        OnnxGraph.CheckShape(nameof(PrimaryCapsule), input, "B, C, H, W", OnnxGraph.Batch, layer.InChannels, null, null);
        _ = layer.OutputShape(input.Shape[2], input.Shape[3]);      // says so where the image is smaller than the kernel
        var bias = layer.Bias is { } given ? graph.Constant("bias", given) : null;
        var x = TorchExport.Convolve(graph, input, graph.Constant("weight", Scaled(layer)), bias,
            Pair(layer.Stride), Pair(layer.Padding), Pair(layer.Dilation), groups: 1);
        x = layer.Activation is { } activation ? graph.Apply(activation, x) : x;
        return graph.Squash(Capsules(graph, x, layer.CapsuleDim));
    }

    public static OnnxValue Apply(OnnxGraph graph, DepthwisePrimaryCapsule layer, OnnxValue input)
    {
        OnnxGraph.CheckShape(nameof(DepthwisePrimaryCapsule), input, "B, C, H, W", OnnxGraph.Batch, layer.Channels, null, null);
        _ = layer.OutputShape(input.Shape[2], input.Shape[3]);
        var bias = layer.Bias is { } given ? graph.Constant("bias", given) : null;
        var x = TorchExport.Convolve(graph, input, graph.Constant("weight", layer.Weight), bias,
            Pair(layer.Stride), [0, 0], [1, 1], groups: layer.Channels);
        return graph.ExponentialSquash(Capsules(graph, x, layer.CapsuleDim));
    }

    // The scale comes before the bias, so that it can be the weight's.
    private static Tensor Scaled(PrimaryCapsule layer)
    {
        using var scale = layer.Scale.ToScalar();
        return layer.Weight.detach().mul(scale);
    }

    // (B, T * D, h, w) -> (B, T, D, P) -> (B, T, P, D) -> (B, N, D)
    private static OnnxValue Capsules(OnnxGraph graph, OnnxValue x, long dim)
    {
        var (types, positions) = (x.Shape[1] / dim, x.Shape[2] * x.Shape[3]);
        x = graph.Permute(graph.Reshape(x, OnnxGraph.Batch, types, dim, positions), 0, 1, 3, 2);
        return graph.Reshape(x, OnnxGraph.Batch, types * positions, dim);
    }

    private static long[] Pair((long H, long W) sizes) => [sizes.H, sizes.W];
}
