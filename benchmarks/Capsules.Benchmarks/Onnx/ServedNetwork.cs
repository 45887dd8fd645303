using Capsules.Onnx;
using Capsules.Samples;
using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>A network of the sample, untrained and without a decoder, as a service runs it in this library.</summary>
internal sealed class ServedNetwork : IDisposable
{
    private static readonly ImageShape Image = new(1, 28, 28);

    private readonly ImageNetwork _network;

    public ServedNetwork(string model)
    {
        manual_seed(1);
        var kind = NetworkCatalog.Get(model);
        _network = kind.Make(kind.Recipe with { ReconstructionWeight = 0 }, Image, 10);
        _network.eval();
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        while (_network.call(rand(1, Image.Channels, Image.Height, Image.Width)).abs().max().item<float>() < 0.1f)
        {
            _network.get_parameter("digits.weight")!.mul_(4f);      // capsules that have a length, so that agreement says something
        }
    }

    public void Export(string file)
    {
        var graph = new OnnxGraph();
        _network.Export(graph, graph.Input("images", Image.Channels, Image.Height, Image.Width));
        graph.Save(file);
    }

    /// <summary>The lengths of the class capsules, from and to the memory of a service.</summary>
    public float[] Lengths(float[] images, long[] shape)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        return _network.Probabilities(_network.call(tensor(images).reshape(shape))).data<float>().ToArray();
    }

    public void Dispose() => _network.Dispose();
}
