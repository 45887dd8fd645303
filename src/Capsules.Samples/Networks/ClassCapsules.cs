using Capsules.Onnx;
using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Samples;

/// <summary>
/// A network that ends in one capsule per class, of the length of which the class is read, and perhaps in a decoder of them: what
/// the 2017 network and Efficient-CapsNet have in common.
/// </summary>
internal abstract class ClassCapsules(string name, Preset preset = Preset.Paper) : ImageNetwork(name)
{
    /// <summary>From class capsules and, in training, their labels, to images; null where nothing is reconstructed.</summary>
    protected nn.Module<Tensor, Tensor?, Tensor>? decoder;      // named as its state-dict key

    public override string LossName => "margin loss";

    public override bool HasDecoder => decoder is not null;

    public override Tensor Scores(Tensor capsules) => F.length(capsules);

    public override Tensor Probabilities(Tensor capsules) => F.length(capsules);

    /// <summary>Routes images (B, C, H, W) and keeps what the routing decided.</summary>
    public abstract RoutingView Route(Tensor images);

    /// <inheritdoc/>
    /// <remarks>Outputs: capsules (B, J, E), lengths (B, J) and, with a decoder, reconstruction (B, C, H, W).</remarks>
    public sealed override void Export(OnnxGraph graph, OnnxValue images, bool withDecoder = true) =>
        graph.CapsuleOutputs(ExportCapsules(graph, images), withDecoder ? decoder : null);

    /// <summary>What <see cref="ImageNetwork.forward"/> computes, for ONNX: the class capsules (B, J, E).</summary>
    protected abstract OnnxValue ExportCapsules(OnnxGraph graph, OnnxValue images);

    public override Tensor Loss(Tensor capsules, Tensor labels)
    {
        using var lengths = F.length(capsules);
        using var presence = labels.dim() == 1 ? null : Presence(labels, capsules.size(1));
        return F.margin_loss(lengths, presence ?? labels, preset: preset);
    }

    public override Tensor Reconstruct(Tensor capsules, Tensor? labels = null) => decoder switch
    {
        null => base.Reconstruct(capsules, labels),
        CapsuleDecoder each when labels?.dim() == 2 => each.DecodeEach(capsules, labels),
        _ => decoder.call(capsules, labels),
    };
}
