using TorchSharp.Modules;

namespace Capsules.Onnx;

/// <summary>TorchSharp's own modules.</summary>
internal static class TorchExport
{
    public static OnnxValue Apply(OnnxGraph graph, Conv2d layer, OnnxValue input)
    {
        OnnxGraph.CheckShape(nameof(Conv2d), input, "B, C, H, W", OnnxGraph.Batch, layer.in_channels, null, null);
        if (layer.padding_mode != PaddingModes.Zeros || layer.padding_type is not null)
        {
            throw ModuleExport.UnsupportedOption(
                $"Conv2d with padding {layer.padding_type?.ToString() ?? layer.padding_mode.ToString()}",
                "Give the zeros on every side as a number.");
        }

        return Convolve(
            graph, input, graph.Constant("weight", layer.weight!), layer.bias is null ? null : graph.Constant("bias", layer.bias),
            layer.stride, layer.padding!, layer.dilation, layer.groups);
    }

    public static OnnxValue Apply(OnnxGraph graph, Linear layer, OnnxValue input)
    {
        if (input.Shape[^1] != layer.in_features)
        {
            OnnxGraph.CheckShape(nameof(Linear), input, "B, F", OnnxGraph.Batch, layer.in_features);
        }

        var bias = layer.bias is null ? null : graph.Constant("bias", layer.bias);
        long[] shape = [.. input.Shape.SkipLast(1), layer.out_features];
        if (input.Shape.Count == 2)
        {
            return graph.Node("Gemm", [input, graph.Constant("weight", layer.weight!), bias], shape, new OnnxAttribute("transB", 1));
        }

        var product = graph.Node("MatMul", [input, graph.Constant("weight", layer.weight!.detach().t())], shape);
        return bias is null ? product : graph.Plus(product, bias);
    }

    public static OnnxValue Apply(OnnxGraph graph, BatchNorm2d layer, OnnxValue input)
    {
        OnnxGraph.CheckShape(nameof(BatchNorm2d), input, "B, C, H, W", OnnxGraph.Batch, layer.num_features, null, null);
        if (!layer.track_running_stats)
        {
            throw ModuleExport.UnsupportedOption(
                "BatchNorm2d without running statistics, which makes a sample's result depend on the others of its batch,",
                "Make it with track_running_stats: true.");
        }

        var (scale, offset) = Affine(graph, layer.weight, layer.bias, layer.num_features);
        return graph.Node("BatchNormalization",
            [input, scale, offset, graph.Constant("running_mean", layer.running_mean!), graph.Constant("running_var", layer.running_var!)],
            input.Shape, new OnnxAttribute("epsilon", (float)layer.eps));
    }

    public static OnnxValue Apply(OnnxGraph graph, InstanceNorm2d layer, OnnxValue input)
    {
        OnnxGraph.CheckShape(nameof(InstanceNorm2d), input, "B, C, H, W", OnnxGraph.Batch, layer.num_features, null, null);
        if (layer.track_running_stats)
        {
            throw ModuleExport.UnsupportedOption("InstanceNorm2d with running statistics", "Make it with track_running_stats: false.");
        }

        var (scale, offset) = Affine(graph, layer.weight, layer.bias, layer.num_features);
        return graph.Node("InstanceNormalization", [input, scale, offset], input.Shape, new OnnxAttribute("epsilon", (float)layer.eps));
    }

    public static OnnxValue Apply(OnnxGraph graph, MaxPool2d layer, OnnxValue input)
    {
        OnnxGraph.CheckShape(nameof(MaxPool2d), input, "B, C, H, W", OnnxGraph.Batch, null, null, null);
        if (layer.ceil_mode)
        {
            throw ModuleExport.UnsupportedOption("MaxPool2d with ceil_mode", "Make it with ceil_mode: false.");
        }

        var (kernel, padding, dilation) = (Pair(layer.kernel_size), Pair(layer.padding ?? [0]), Pair(layer.dilation ?? [1]));
        var stride = Pair(layer.stride is { Length: > 0 } given ? given : kernel);
        return graph.Node("MaxPool", [input], [input.Shape[0], input.Shape[1], .. Grid(input, kernel, stride, padding, dilation)],
            new OnnxAttribute("kernel_shape", kernel), new OnnxAttribute("strides", stride),
            new OnnxAttribute("pads", [.. padding, .. padding]), new OnnxAttribute("dilations", dilation));
    }

    public static OnnxValue Apply(OnnxGraph graph, Flatten layer, OnnxValue input)
    {
        var (start, end) = (OnnxOperations.Positive(input, layer.start_dim), OnnxOperations.Positive(input, layer.end_dim));
        return start == 0
            ? throw ModuleExport.UnsupportedOption("Flatten from dimension 0, the batch,", "Flatten from dimension 1.")
            : graph.Reshape(input,
                [.. input.Shape.Take(start), OnnxOperations.Elements(input.Shape.Skip(start).Take(end + 1 - start)), .. input.Shape.Skip(end + 1)]);
    }

    /// <summary>A convolution of a constant weight (K, C / groups, kh, kw).</summary>
    public static OnnxValue Convolve(
        OnnxGraph graph, OnnxValue input, OnnxValue weight, OnnxValue? bias, long[] stride, long[] padding, long[] dilation, long groups)
    {
        var (strides, pads, dilations) = (Pair(stride), Pair(padding), Pair(dilation));
        long[] kernel = [weight.Shape[2], weight.Shape[3]];
        return graph.Node("Conv", [input, weight, bias],
            [input.Shape[0], weight.Shape[0], .. Grid(input, kernel, strides, pads, dilations)],
            new OnnxAttribute("kernel_shape", kernel), new OnnxAttribute("strides", strides), new OnnxAttribute("pads", [.. pads, .. pads]),
            new OnnxAttribute("dilations", dilations), new OnnxAttribute("group", groups));
    }

    private static long[] Grid(OnnxValue input, long[] kernel, long[] stride, long[] padding, long[] dilation)
    {
        var grid = new long[2];
        for (var i = 0; i < 2; i++)
        {
            var room = input.Shape[i + 2] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1;
            grid[i] = room >= 0 ? room / stride[i] + 1 : throw new ArgumentException(
                $"A kernel of {kernel[0]} x {kernel[1]} does not fit into {OnnxValue.Text(input.Shape)}. Take a larger image or a smaller kernel.",
                nameof(input));
        }

        return grid;
    }

    // TorchSharp keeps one number for both sides where one was given.
    private static long[] Pair(long[] sizes) => sizes.Length == 1 ? [sizes[0], sizes[0]] : sizes;

    private static (OnnxValue Scale, OnnxValue Offset) Affine(OnnxGraph graph, Parameter? weight, Parameter? bias, long channels) =>
        (graph.Constant("weight", weight ?? torch.ones(channels)), graph.Constant("bias", bias ?? torch.zeros(channels)));
}
