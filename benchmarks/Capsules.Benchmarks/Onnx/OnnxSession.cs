using Microsoft.ML.OnnxRuntime;

namespace Capsules.Benchmarks;

/// <summary>A network in ONNX Runtime; nothing here touches torch, so that a process can do without it.</summary>
internal sealed class OnnxSession : IDisposable
{
    private readonly InferenceSession _session;
    private readonly RunOptions _options = new();

    /// <param name="file">The file.</param>
    /// <param name="threads">Threads, at least 1.</param>
    public OnnxSession(string file, int threads)
    {
        using var options = new SessionOptions { IntraOpNumThreads = threads };
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");      // idle threads would take the cores from those of libtorch
        _session = new InferenceSession(file, options);
    }

    /// <summary>The shape of a batch of images.</summary>
    public long[] Shape(int batch) => [batch, .. _session.InputMetadata["images"].Dimensions[1..].Select(size => (long)size)];

    /// <summary>The lengths of the class capsules.</summary>
    public float[] Lengths(float[] images, long[] shape)
    {
        using var input = OrtValue.CreateTensorValueFromMemory(images, shape);
        using var results = _session.Run(_options, ["images"], [input], ["lengths"]);
        return results[0].GetTensorDataAsSpan<float>().ToArray();
    }

    /// <summary>All outputs, in the order of the file.</summary>
    public IReadOnlyList<float[]> All(float[] images, long[] shape)
    {
        using var input = OrtValue.CreateTensorValueFromMemory(images, shape);
        using var results = _session.Run(_options, ["images"], [input], _session.OutputNames);
        return [.. results.Select(result => result.GetTensorDataAsSpan<float>().ToArray())];
    }

    public void Dispose()
    {
        _session.Dispose();
        _options.Dispose();
    }
}
