using Microsoft.ML.OnnxRuntime;
using static TorchSharp.torch;

namespace Capsules.Onnx.Tests;

/// <summary>A file in ONNX Runtime, which checks all of it when it loads: operators, types and shapes.</summary>
internal sealed class OnnxRun : IDisposable
{
    private readonly InferenceSession _session;

    public OnnxRun(byte[] file)
    {
        using var options = new SessionOptions();
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");      // idle threads would keep the cores from libtorch's
        _session = new InferenceSession(file, options);
    }

    public OnnxRun(OnnxGraph graph) : this(graph.ToArray())
    {
    }

    public InferenceSession Session => _session;

    /// <summary>The outputs of one input, by name. The tensors belong to the caller's dispose scope.</summary>
    public Dictionary<string, Tensor> Run(Tensor input)
    {
        using var flat = input.flatten().contiguous();
        using var value = OrtValue.CreateTensorValueFromMemory(flat.data<float>().ToArray(), input.shape);
        using var options = new RunOptions();
        using var results = _session.Run(options, [_session.InputNames[0]], [value], _session.OutputNames);
        return _session.OutputNames.Zip(results).ToDictionary(
            pair => pair.First, pair => tensor(pair.Second.GetTensorDataAsSpan<float>().ToArray()).reshape(pair.Second.GetTensorTypeAndShape().Shape));
    }

    public void Dispose() => _session.Dispose();
}
