using Capsules;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace CapsNetApp;

/// <summary>A small relative of the network of "Dynamic Routing Between Capsules" (2017) for images of 28 x 28.</summary>
internal sealed class DigitNetwork : nn.Module<Tensor, Tensor>
{
    private const int Classes = 10, CapsuleDim = 16;

    // Fields' names are the names in weight files.
    private readonly Conv2d conv1;
    private readonly PrimaryCapsule primary;
    private readonly CapsuleLayer digits;
    private readonly MaskedDecoder decoder;

    public DigitNetwork() : base(nameof(DigitNetwork))
    {
        conv1 = nn.Conv2d(1, 32, kernel_size: 9);                                               // 28 -> 20
        primary = new PrimaryCapsule(32, capsuleTypes: 8, capsuleDim: 8, kernelSize: 9, stride: 2);      // 20 -> 6
        digits = new CapsuleLayer(primary.OutputShape(20, 20).Capsules, 8, Classes, CapsuleDim, routingIterations: 3);
        decoder = new MaskedDecoder(Classes, CapsuleDim, outputShape: [1, 28, 28], hiddenSizes: [128, 256]);
        RegisterComponents();
    }

    /// <summary>Images (B, 1, 28, 28) in [0, 1] to a capsule per class (B, 10, 16), whose length is the class's probability.</summary>
    public override Tensor forward(Tensor images)
    {
        using var scope = NewDisposeScope();
        return digits.call(primary.call(nn.functional.relu(conv1.call(images)))).MoveToOuterDisposeScope();
    }

    /// <summary>Capsules to images (B, 1, 28, 28), by the capsules of the labels, or by the longest where none are given.</summary>
    public Tensor Reconstruct(Tensor capsules, Tensor? labels = null) =>
        labels is null ? decoder.call(capsules) : decoder.call(capsules, labels);
}
