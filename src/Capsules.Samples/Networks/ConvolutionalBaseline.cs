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
/// <para>On larger images nearly all of it is its first connected layer, 67 million of 70 on 40 x 40. Of its network for those,
/// section 5.1, the paper says only that it has about as many parameters as the capsule network: with the maximum of 2 x 2 after each of
/// the first two convolutions there are 6.7 million, half of the capsule network's 13.5.</para>
/// </remarks>
internal sealed class ConvolutionalBaseline : ImageNetwork
{
    private readonly Sequential convolutions;
    private readonly Sequential classifier;

    /// <summary>Assembles the network for images of any size and any number of channels and classes.</summary>
    /// <param name="image">The shape of the images.</param>
    /// <param name="classes">The number of classes.</param>
    /// <param name="pooling">Whether the maximum of 2 x 2 follows each of the first two convolutions. Default: false, as on MNIST.</param>
    /// <exception cref="UserException">The images are smaller than 4 x 4, and pooled twice nothing is left of them.</exception>
    public ConvolutionalBaseline(ImageShape image, int classes, bool pooling = false) : base(nameof(ConvolutionalBaseline))
    {
        var scale = pooling ? 4 : 1;
        image.RequireAtLeast(scale, "The pooled baseline's layers");
        convolutions = nn.Sequential([
            nn.Conv2d(image.Channels, 256, kernel_size: 5, padding: 2), nn.ReLU(), .. Halving(),
            nn.Conv2d(256, 256, kernel_size: 5, padding: 2), nn.ReLU(), .. Halving(),
            nn.Conv2d(256, 128, kernel_size: 5, padding: 2), nn.ReLU()]);
        classifier = nn.Sequential(
            nn.Linear(128 * (image.Height / scale) * (image.Width / scale), 328), nn.ReLU(),
            nn.Linear(328, 192), nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(192, classes));
        RegisterComponents();

        nn.Module<Tensor, Tensor>[] Halving() => pooling ? [nn.MaxPool2d(2)] : [];
    }

    public override string LossName => "cross-entropy";

    /// <summary>Images (B, C, H, W) to logits (B, J).</summary>
    public override Tensor forward(Tensor images)
    {
        using var scope = NewDisposeScope();
        var features = images;
        foreach (var layer in convolutions.children())
        {
            // The library's kernel, which brings bias and ReLU along: a training step on the CPU takes less than half of the time.
            features = layer switch
            {
                Conv2d convolution => SequentialCalls.Seen(
                    convolution, features, F.conv2d(features, convolution.weight, convolution.bias, padding: (2, 2), relu: true)),
                MaxPool2d pool => pool.call(features),
                _ => features,
            };
        }

        return classifier.call(features.flatten(1)).MoveToOuterDisposeScope();
    }

    public override Tensor Scores(Tensor logits) => logits.alias();

    public override Tensor Probabilities(Tensor logits) => logits.softmax(1);

    /// <inheritdoc/>
    /// <remarks>Outputs: logits (B, J) and probabilities (B, J).</remarks>
    public override void Export(OnnxGraph graph, OnnxValue images, bool withDecoder = true)
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
