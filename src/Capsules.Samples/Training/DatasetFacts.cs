namespace Capsules.Samples;

/// <summary>What a checkpoint knows of the dataset that it was trained on.</summary>
internal sealed record DatasetFacts(string Name, ImageShape Image, IReadOnlyList<string> ClassNames)
{
    public static DatasetFacts Of(ImageDataset dataset) =>
        new(dataset.Name, new ImageShape(dataset.Channels, dataset.Height, dataset.Width), dataset.ClassNames);

    /// <summary>Throws unless a dataset's images and classes are of this kind.</summary>
    public void Require(ImageDataset dataset)
    {
        var other = Of(dataset);
        if (other.Image != Image || other.ClassNames.Count != ClassNames.Count)
        {
            throw new UserException($"The checkpoint was trained on {Name} ({Image}, {ClassNames.Count} classes), but {other.Name} has {other.Image} and {other.ClassNames.Count} classes. Give the dataset that fits with --dataset.");
        }
    }
}
