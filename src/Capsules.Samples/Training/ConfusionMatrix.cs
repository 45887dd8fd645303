using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>How often images of each class were read as each class.</summary>
/// <param name="classes">How many classes there are.</param>
internal sealed class ConfusionMatrix(int classes)
{
    private readonly long[] _counts = new long[classes * classes];

    /// <summary>How many classes there are.</summary>
    public int Classes => classes;

    /// <summary>How many images of a class were read as another, or as itself.</summary>
    public long this[int label, int predicted] => _counts[label * classes + predicted];

    /// <summary>How many images of a class there were.</summary>
    public long Images(int label) => _counts.AsSpan(label * classes, classes).ToArray().Sum();

    /// <summary>The share of a class's images that were read as another, or as itself; 0 where there are none.</summary>
    public double Share(int label, int predicted) => this[label, predicted] / (double)Math.Max(Images(label), 1);

    /// <summary>Adds a batch.</summary>
    /// <param name="labels">The classes (B).</param>
    /// <param name="predicted">What they were read as (B).</param>
    public void Add(Tensor labels, Tensor predicted)
    {
        using var scope = NewDisposeScope();
        var (right, read) = (labels.cpu().data<long>().ToArray(), predicted.cpu().data<long>().ToArray());
        for (var i = 0; i < right.Length; i++)
        {
            _counts[right[i] * classes + read[i]]++;
        }
    }
}
