using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>
/// Images to train or test on, as they are stored; those who derive make other images of the stored ones, when asked for them. Owns both tensors.
/// </summary>
/// <remarks>
/// An image has an address. Address i is stored image i; where <see cref="Variations"/> of each can be made, address
/// i + v * <see cref="Count"/> is its variation v, so that the first <see cref="Count"/> addresses show every stored image once.
/// </remarks>
/// <param name="Images">Stored images of shape (N, C, H, W), uint8, 255 for full brightness: a quarter of what floats would take.</param>
/// <param name="Labels">Their classes, of shape (N), int64, from 0.</param>
internal record ImageSplit(Tensor Images, Tensor Labels) : IDisposable
{
    /// <summary>Stored images: what an epoch or an evaluation passes over.</summary>
    public long Count => Labels.size(0);

    /// <summary>How many images can be made of each stored one.</summary>
    public virtual long Variations => 1;

    /// <summary>How many objects an image shows, each with a label.</summary>
    public virtual int Objects => 1;

    /// <summary>The size of an image that <see cref="Take"/> gives.</summary>
    public virtual ImageShape Shape => new(Images.size(1), Images.size(2), Images.size(3));

    /// <summary>What is made of the stored images, in words; empty for nothing.</summary>
    public virtual string Recipe => "";

    /// <summary>The same images, made of some of the stored ones alone, so that what is held out shows up nowhere else. Owns nothing.</summary>
    /// <exception cref="UserException">No images can be made of so few.</exception>
    public virtual ImageSplit DrawnFrom(long[] stored) => this;

    /// <summary>The same images as they are shown to test on. Owns nothing.</summary>
    public virtual ImageSplit AsTested => this;

    /// <summary>The images at some addresses, uint8, in the caller's scope.</summary>
    public virtual ImageBatch Take(ReadOnlySpan<long> addresses)
    {
        using var index = tensor(addresses.ToArray());
        return new ImageBatch(Images.index_select(0, index), Labels.index_select(0, index));
    }

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
        GC.SuppressFinalize(this);
    }
}
