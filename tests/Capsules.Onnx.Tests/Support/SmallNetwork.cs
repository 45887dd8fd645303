using static TorchSharp.torch;

namespace Capsules.Onnx.Tests;

/// <summary>A network of images of 12 x 12 with three classes and every part that an export in one call may have.</summary>
internal sealed class SmallNetwork : IDisposable
{
    public SmallNetwork()
    {
        var primary = new PrimaryCapsule(4, capsuleTypes: 3, capsuleDim: 4, kernelSize: 5, stride: 2);
        var capsules = primary.OutputShape(10, 10).Capsules;
        Modules =
        [
            nn.Conv2d(1, 4, kernel_size: 3), nn.ReLU(), primary, new CapsuleLayer(capsules, 4, 6, 5, new SelfAttentionRouting(capsules, 6)),
            new CapsuleLayer(6, 5, 3, 6, learnedLogits: true),
        ];
        Decoder = new MaskedDecoder(3, 6, [1, 12, 12], hiddenSizes: [10]);
    }

    public IReadOnlyList<nn.Module<Tensor, Tensor>> Modules { get; }

    public MaskedDecoder Decoder { get; }

    public void Dispose()
    {
        foreach (var module in Modules)
        {
            module.Dispose();
        }

        Decoder.Dispose();
    }
}
