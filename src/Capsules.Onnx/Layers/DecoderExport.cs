using static TorchSharp.torch;

namespace Capsules.Onnx;

/// <summary>The decoders, of the longest capsule of every sample.</summary>
internal static class DecoderExport
{
    public static OnnxValue Apply(OnnxGraph graph, CapsuleDecoder decoder, OnnxValue input)
    {
        OnnxGraph.CheckShape(decoder.GetName(), input, "B, J, E", OnnxGraph.Batch, decoder.Capsules, decoder.CapsuleDim);
        var masked = graph.MaskLongest(input);
        var features = decoder.IsClassIndependent ? graph.Sum(masked, 1) : graph.Flatten(masked);      // of one capsule that is not zero
        var images = decoder switch
        {
            MaskedDecoder or ClassIndependentDecoder => FullyConnected(graph, decoder, features),
            ConvolutionalDecoder => Convolutional(graph, decoder, features),
            _ => throw ModuleExport.Unsupported(decoder, $"{decoder.GetName()} ({decoder.GetType().FullName})"),
        };
        return graph.Reshape(images, [OnnxGraph.Batch, .. decoder.OutputShape]);
    }

    private static OnnxValue FullyConnected(OnnxGraph graph, CapsuleDecoder decoder, OnnxValue x)
    {
        var layers = Layers(decoder);
        for (var i = 0; i < layers; i++)
        {
            x = Linear(graph, decoder, $"layers.{i}", x);
            x = i == layers - 1 ? graph.Sigmoid(x) : graph.Relu(x);
        }

        return x;
    }

    // As in ConvolutionalDecoder: a grid of 16 channels, then a transposed convolution of stride 1, of stride 2, ..., of stride 1.
    private static OnnxValue Convolutional(OnnxGraph graph, CapsuleDecoder decoder, OnnxValue x)
    {
        var layers = Layers(decoder);
        var (heights, widths) = (Halvings(decoder.OutputShape[1], layers - 2), Halvings(decoder.OutputShape[2], layers - 2));
        x = graph.Relu(Linear(graph, decoder, "grid", x));
        x = graph.Reshape(x, OnnxGraph.Batch, x.Shape[1] / (heights[0] * widths[0]), heights[0], widths[0]);
        for (var i = 0; i < layers; i++)
        {
            var doubles = i > 0 && i < layers - 1;
            long[] size = [heights[Math.Min(i, layers - 2)], widths[Math.Min(i, layers - 2)]];
            x = Transposed(graph, decoder, $"layers.{i}", x, size, doubles);
            x = i == layers - 1 ? graph.Sigmoid(x) : graph.Relu(x);
        }

        return x;
    }

    private static OnnxValue Transposed(OnnxGraph graph, CapsuleDecoder decoder, string layer, OnnxValue x, long[] size, bool doubles)
    {
        var (weight, bias) = (decoder.get_parameter($"{layer}.weight")!, decoder.get_parameter($"{layer}.bias")!);
        long[] outputPadding = doubles ? [1 - size[0] % 2, 1 - size[1] % 2] : [0, 0];
        long stride = doubles ? 2 : 1;
        return graph.Node("ConvTranspose", [x, graph.Constant($"{layer}.weight", weight), graph.Constant($"{layer}.bias", bias)],
            [OnnxGraph.Batch, weight.size(1), .. size],
            new OnnxAttribute("kernel_shape", [weight.size(2), weight.size(3)]), new OnnxAttribute("strides", [stride, stride]),
            new OnnxAttribute("pads", [1L, 1, 1, 1]), new OnnxAttribute("output_padding", outputPadding));
    }

    private static OnnxValue Linear(OnnxGraph graph, CapsuleDecoder decoder, string layer, OnnxValue x)
    {
        var (weight, bias) = (decoder.get_parameter($"{layer}.weight")!, decoder.get_parameter($"{layer}.bias")!);
        return graph.Node("Gemm", [x, graph.Constant($"{layer}.weight", weight), graph.Constant($"{layer}.bias", bias)],
            [OnnxGraph.Batch, weight.size(0)], new OnnxAttribute("transB", 1L));
    }

    private static int Layers(nn.Module decoder) => decoder.named_parameters().Count(
        entry => entry.name.StartsWith("layers.", StringComparison.Ordinal) && entry.name.EndsWith(".weight", StringComparison.Ordinal));

    // A side of the image after each doubling, from the grid's to its own.
    private static long[] Halvings(long size, int doublings)
    {
        var sizes = new long[doublings + 1];
        for (var i = doublings; i >= 0; i--, size = (size + 1) / 2)
        {
            sizes[i] = size;
        }

        return sizes;
    }
}
