using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Images and their labels, in memory. Owns both tensors.</summary>
/// <param name="Images">Of shape (N, C, H, W), uint8, 255 for full brightness: a quarter of what floats would take.</param>
/// <param name="Labels">Of shape (N), int64, from 0.</param>
internal sealed record ImageSplit(Tensor Images, Tensor Labels) : IDisposable
{
    public long Count => Labels.size(0);

    /// <summary>Makes a split of copies of plain arrays; no dispose scope of the caller holds its tensors.</summary>
    /// <param name="pixels">N x C x H x W values, row by row.</param>
    /// <param name="labels">N values.</param>
    public static ImageSplit FromArrays(byte[] pixels, byte[] labels, long channels, long height, long width)
    {
        using var scope = NewDisposeScope();
        var images = tensor(pixels, [labels.Length, channels, height, width], dtype: ScalarType.Byte);
        var classes = tensor(labels, [labels.Length], dtype: ScalarType.Byte).to(ScalarType.Int64);
        return new ImageSplit(images.DetachFromDisposeScope(), classes.DetachFromDisposeScope());
    }

    public void Dispose()
    {
        Images.Dispose();
        Labels.Dispose();
    }
}
