using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>Square windows of stored images: those to train on at every place, those to test on from the middle.</summary>
/// <param name="Images">Stored images (N, C, H, W), uint8.</param>
/// <param name="Labels">Their classes (N).</param>
/// <param name="Size">Pixels a side, at most H and W.</param>
/// <param name="IsEverywhere">Whether the windows at other places are variations of an image; variation 0 is the middle one.</param>
internal sealed record CroppedSplit(Tensor Images, Tensor Labels, int Size, bool IsEverywhere) : ImageSplit(Images, Labels)
{
    /// <summary>The size of the stored images.</summary>
    public ImageShape Whole => base.Shape;

    private long Rows => Images.size(2) - Size + 1;

    private long Columns => Images.size(3) - Size + 1;

    public override long Variations => IsEverywhere ? Rows * Columns : 1;

    public override ImageShape Shape => new(Images.size(1), Size, Size);

    public override string Recipe => IsEverywhere ? $"windows of {Size} x {Size}" : $"the middle {Size} x {Size}";

    public override ImageSplit AsTested => this with { IsEverywhere = false };

    /// <summary>A dataset of windows of a dataset's images, which then belong to it.</summary>
    /// <exception cref="UserException">The images are smaller, or are not stored as they are shown. The dataset is freed.</exception>
    public static ImageDataset Of(ImageDataset dataset, int size) => dataset.Remade(whole =>
    {
        if (whole.Train.Recipe.Length > 0)
        {
            throw new UserException($"--crop is for stored images, and those of {whole.Name} are made when asked for. Leave it out.");
        }

        if (size > Math.Min(whole.Shape.Height, whole.Shape.Width))
        {
            throw new UserException($"--crop {size} is more than the {whole.Shape.Height} x {whole.Shape.Width} pixels of the images. Give a smaller one.");
        }

        // Not the original any more: figures on windows do not compare with those on whole images.
        return new ImageDataset(whole.Name, $"{whole.Source}, cropped", whole.ClassNames,
            new CroppedSplit(whole.Train.Images, whole.Train.Labels, size, IsEverywhere: true),
            new CroppedSplit(whole.Test.Images, whole.Test.Labels, size, IsEverywhere: false));
    });

    public override ImageBatch Take(ReadOnlySpan<long> addresses)
    {
        using var scope = NewDisposeScope();
        var stored = new long[addresses.Length];
        var starts = new long[addresses.Length];      // of the window of each image, within its plane
        var width = Images.size(3);
        for (var i = 0; i < addresses.Length; i++)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)addresses[i], (ulong)(Count * Variations), nameof(addresses));
            stored[i] = addresses[i] % Count;
            var place = (addresses[i] / Count + (Rows - 1) / 2 * Columns + (Columns - 1) / 2) % (Rows * Columns);      // 0: the middle
            starts[i] = place / Columns * width + place % Columns;
        }

        var whole = base.Take(stored);
        var window = tensor(Enumerable.Range(0, Size * Size).Select(i => i / Size * width + i % Size).ToArray());      // (SS)
        var index = Arithmetic.Plus(tensor(starts).view(-1, 1, 1), window);                                                      // (B, 1, SS)
        var images = whole.Images.flatten(2).gather(2, index.expand(-1, Images.size(1), -1))                     // (B, C, SS)
            .view(-1, Images.size(1), Size, Size);
        return new ImageBatch(images.MoveToOuterDisposeScope(), whole.Labels.MoveToOuterDisposeScope());
    }
}
