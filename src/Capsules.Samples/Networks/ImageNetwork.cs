using Capsules.Onnx;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>
/// A network that the sample can train: images to a class and, where it has a decoder, back to images. What is special about one
/// stands in its own file; training, evaluation, checkpoints and pictures see it through this.
/// </summary>
internal abstract class ImageNetwork(string name) : nn.Module<Tensor, Tensor>(name)
{
    /// <summary>What its loss is called in reports.</summary>
    public abstract string LossName { get; }

    /// <summary>Whether the network can reconstruct.</summary>
    public virtual bool HasDecoder => false;

    /// <summary>
    /// Epochs of training that are behind, for losses that change with them. Set before every step; without end where nothing trains.
    /// </summary>
    public double EpochsBehind { get; set; } = double.PositiveInfinity;

    /// <summary>Images (B, C, H, W) in [0, 1] to what the class is read from: class capsules (B, J, E) or logits (B, J).</summary>
    public abstract override Tensor forward(Tensor images);

    /// <summary>Scores (B, J) of an output of <see cref="forward"/>; the largest one tells the class.</summary>
    public abstract Tensor Scores(Tensor output);

    /// <summary>
    /// How probable the network holds each class, (B, J) in [0, 1]: a class capsule's length, which is the probability that its class
    /// is there and says nothing of the others; or a softmax of logits.
    /// </summary>
    public abstract Tensor Probabilities(Tensor output);

    /// <summary>The loss that it is trained by, without reconstruction, as a mean over the batch.</summary>
    /// <param name="output">What <see cref="forward"/> gave.</param>
    /// <param name="labels">The classes (B), or (B, K) where an image shows K objects of different classes.</param>
    public abstract Tensor Loss(Tensor output, Tensor labels);

    /// <summary>
    /// An output to images (B, C, H, W), by the labels (B), or by the prediction where none are given; by labels (B, K) to an image
    /// of each object, (B, K, C, H, W).
    /// </summary>
    public virtual Tensor Reconstruct(Tensor output, Tensor? labels = null) =>
        throw new InvalidOperationException($"This {GetName()} was assembled without a decoder.");

    /// <summary>Writes what it computes in inference down for ONNX, outputs included.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="images">Images (B, C, H, W) in [0, 1].</param>
    /// <param name="withDecoder">Whether its decoder, where it has one, goes with it. Default: true.</param>
    /// <exception cref="NotSupportedException">It cannot be exported.</exception>
    public virtual void Export(OnnxGraph graph, OnnxValue images, bool withDecoder = true) => throw new NotSupportedException(
        $"{GetName()} cannot be exported to ONNX: exported are networks of vector capsules with dynamic or self-attention routing, and the convolutional baseline.");

    /// <summary>Puts the network into evaluation mode until what is returned is disposed, and then into the mode that it was in.</summary>
    public IDisposable Evaluating()
    {
        var back = new Mode(this, training);
        eval();
        return back;
    }

    /// <summary>Labels (B, K) as the presence (B, J) of each class, 1 or 0.</summary>
    protected static Tensor Presence(Tensor labels, long classes)
    {
        using var scope = NewDisposeScope();
        return zeros(labels.size(0), classes, device: labels.device).scatter_(1, labels, ones_like(labels, dtype: float32)).MoveToOuterDisposeScope();
    }

    /// <summary>The predicted classes (B) of images.</summary>
    public Tensor Predict(Tensor images)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        return Scores(call(images)).argmax(1).MoveToOuterDisposeScope();
    }

    private sealed class Mode(ImageNetwork network, bool isTraining) : IDisposable
    {
        public void Dispose() => network.train(isTraining);
    }
}
