using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules.Onnx;

/// <summary>Which modules are written, and by what.</summary>
internal static class ModuleExport
{
    private const string Known =
        "Exported are this library's PrimaryCapsule, DepthwisePrimaryCapsule, CapsuleLayer, Squash, ExponentialSquash, CapsuleLength, " +
        "MaskedDecoder, ClassIndependentDecoder and ConvolutionalDecoder; TorchSharp's Sequential, Conv2d, Linear, BatchNorm2d, " +
        "InstanceNorm2d, MaxPool2d, ReLU, LeakyReLU, Sigmoid, Tanh, Softmax, Flatten, Dropout, Dropout2d and Identity; " +
        "and modules that implement IOnnxModule.";

    public static OnnxValue Apply(OnnxGraph graph, nn.Module module, OnnxValue input) => module switch
    {
        IOnnxModule own => own.Export(graph, input),
        PrimaryCapsule primary => PrimaryCapsuleExport.Apply(graph, primary, input),
        DepthwisePrimaryCapsule primary => PrimaryCapsuleExport.Apply(graph, primary, input),
        CapsuleLayer layer => CapsuleLayerExport.Apply(graph, layer, input),
        CapsuleDecoder decoder => DecoderExport.Apply(graph, decoder, input),
        Squash squash => graph.Squash(input, (int)squash.Dim, squash.Eps),
        ExponentialSquash squash => graph.ExponentialSquash(input, (int)squash.Dim),
        CapsuleLength length => graph.Length(input, (int)length.Dim, length.KeepDim),
        Sequential sequence => Apply(graph, sequence, input),
        Conv2d convolution => TorchExport.Apply(graph, convolution, input),
        Linear linear => TorchExport.Apply(graph, linear, input),
        BatchNorm2d normalisation => TorchExport.Apply(graph, normalisation, input),
        InstanceNorm2d normalisation => TorchExport.Apply(graph, normalisation, input),
        MaxPool2d pool => TorchExport.Apply(graph, pool, input),
        Flatten flatten => TorchExport.Apply(graph, flatten, input),
        LeakyReLU leaky => graph.Unary("LeakyRelu", input, new OnnxAttribute("alpha", (float)leaky.negative_slope)),
        Softmax softmax => graph.Softmax(input, (int)softmax.dim),
        ReLU => graph.Relu(input),
        Sigmoid => graph.Sigmoid(input),
        Tanh => graph.Unary("Tanh", input),
        Dropout or Dropout2d or Identity => input,
        _ => throw Unsupported(module, $"{module.GetName()} ({module.GetType().FullName})"),
    };

    /// <summary>What is thrown for a module, or an option of one, that cannot be exported.</summary>
    public static NotSupportedException Unsupported(nn.Module module, string what) => new(
        $"{what} cannot be exported to ONNX. {(module is CapsuleLayer ? RoutingExport.Known : Known)}");

    /// <summary>What is thrown for a module whose options ONNX export does not know.</summary>
    public static NotSupportedException UnsupportedOption(string what, string instead) =>
        new($"{what} cannot be exported to ONNX. {instead}");

    private static OnnxValue Apply(OnnxGraph graph, Sequential sequence, OnnxValue input)
    {
        foreach (var module in sequence.children())
        {
            input = graph.Apply(module, input);
        }

        return input;
    }
}
