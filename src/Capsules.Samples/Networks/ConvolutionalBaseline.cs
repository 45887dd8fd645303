using Capsules.Onnx;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Samples;

/// <summary>
/// The plain convolutional network that the 2017 paper compares with: three 5x5 convolutions of 256, 256 and 128 channels, fully
/// connected layers of 328 and 192, dropout, and a softmax over the classes with cross-entropy.
/// </summary>
/// <remarks>
/// <para>Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, section 5. The paper says neither padding nor dropout
/// rate. Padding that keeps the image size gives its 35.4 million parameters (35,445,522; without padding there would be 13.3
/// million). Dropout is at the usual one half.</para>
/// </remarks>
internal sealed class ConvolutionalBaseline : ImageNetwork
{
    private readonly Sequential convolutions;
    private readonly Sequential classifier;

    /// <summary>Assembles the network for images of any size and any number of channels and classes.</summary>
    public ConvolutionalBaseline(ImageShape image, int classes) : base(nameof(ConvolutionalBaseline))
    {
        convolutions = nn.Sequential(
            nn.Conv2d(image.Channels, 256, kernel_size: 5, padding: 2), nn.ReLU(),
            nn.Conv2d(256, 256, kernel_size: 5, padding: 2), nn.ReLU(),
            nn.Conv2d(256, 128, kernel_size: 5, padding: 2), nn.ReLU());
        classifier = nn.Sequential(
            nn.Linear(128 * image.Height * image.Width, 328), nn.ReLU(),
            nn.Linear(328, 192), nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(192, classes));
        RegisterComponents();
    }

    public override string LossName => "cross-entropy";

    /// <summary>Images (B, C, H, W) to logits (B, J).</summary>
    public override Tensor forward(Tensor images)
    {
        using var scope = NewDisposeScope();
        var features = images;
        foreach (var convolution in convolutions.children().OfType<Conv2d>())
        {
            // The library's kernel, which brings bias and ReLU along: a training step on the CPU takes less than half of the time.
            features = F.conv2d(features, convolution.weight, convolution.bias, padding: (2, 2), relu: true);
        }

        return classifier.call(features.flatten(1)).MoveToOuterDisposeScope();
    }

    public override Tensor Scores(Tensor logits) => logits.alias();

    public override Tensor Probabilities(Tensor logits) => logits.softmax(1);

    /// <inheritdoc/>
    /// <remarks>Outputs: logits (B, J) and probabilities (B, J).</remarks>
    public override void Export(OnnxGraph graph, OnnxValue images)
    {
        var logits = graph.Apply(classifier, graph.Flatten(graph.Apply(convolutions, images)));
        graph.Output("logits", logits);
        graph.Output("probabilities", graph.Softmax(logits, 1));
    }

    /// <inheritdoc/>
    /// <remarks>Of several objects each class is a yes or no of its own: binary cross-entropy, summed over classes.</remarks>
    public override Tensor Loss(Tensor logits, Tensor labels)
    {
        if (labels.dim() == 1)
        {
            return nn.functional.cross_entropy(logits, labels);
        }

        using var scope = NewDisposeScope();
        return nn.functional.binary_cross_entropy_with_logits(logits, Presence(labels, logits.size(1)), reduction: nn.Reduction.None)
            .sum(dim: 1).mean().MoveToOuterDisposeScope();
    }
}
