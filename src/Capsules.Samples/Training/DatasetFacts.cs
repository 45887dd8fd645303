namespace Capsules.Samples;

/// <summary>What a checkpoint knows of the dataset that it was trained on.</summary>
/// <param name="Name">The name by which <c>--dataset</c> asks for it.</param>
/// <param name="Image">The size of its images.</param>
/// <param name="ClassNames">Its classes.</param>
/// <param name="Fingerprint">The checksum of its images and labels.</param>
internal sealed record DatasetFacts(string Name, ImageShape Image, IReadOnlyList<string> ClassNames, string Fingerprint)
{
    private const int MostClasses = 100_000, MostChannels = 64, MostSide = 4096;

    /// <summary>The size of the images of which windows were taken; null for whole images.</summary>
    public ImageShape? CroppedFrom { get; init; }

    public static DatasetFacts Of(ImageDataset dataset) => new(dataset.Name, dataset.Shape, dataset.ClassNames, dataset.Fingerprint)
    {
        CroppedFrom = dataset.Train is CroppedSplit cropped ? cropped.Whole : null,
    };

    /// <summary>Throws unless they can be those of a dataset: the file that they come from may be damaged.</summary>
    /// <exception cref="InvalidDataException">They cannot.</exception>
    public void CheckValues()
    {
        if (Name is null || Fingerprint is null || ClassNames is not { Count: >= 1 and <= MostClasses } || ClassNames.Contains(null!))
        {
            throw new InvalidDataException("it does not say which dataset it is of, and its classes");
        }

        foreach (var image in (ImageShape[])[Image, CroppedFrom ?? Image])
        {
            if (image is not { Channels: >= 1 and <= MostChannels, Height: >= 1 and <= MostSide, Width: >= 1 and <= MostSide })
            {
                throw new InvalidDataException($"it claims images of {image.Channels} x {image.Height} x {image.Width}, beyond {MostChannels} x {MostSide} x {MostSide}");
            }
        }

        if (CroppedFrom is { } whole && (whole.Channels != Image.Channels || whole.Height < Image.Height || whole.Width < Image.Width))
        {
            throw new InvalidDataException($"it claims windows of {Image} in images of {whole}");
        }
    }

    /// <summary>How a dataset is to be opened so that its images are of this kind, where it can give others.</summary>
    /// <exception cref="UserException">There is no dataset of that name.</exception>
    public DatasetOptions OptionsFor(string dataset)
    {
        var kind = DatasetCatalog.Get(dataset);
        var whole = CroppedFrom ?? Image;
        var size = kind.TakesImageSize && whole.Height == whole.Width ? (int)whole.Height : (int?)null;
        return new DatasetOptions(size, kind.TakesGrey && Image.Channels == 1, CroppedFrom is null ? null : (int)Image.Height);
    }

    /// <summary>Throws unless a dataset's images and classes are of this kind, so that the network can read them.</summary>
    public void RequireKind(ImageDataset dataset)
    {
        if (dataset.Shape != Image || dataset.Classes != ClassNames.Count)
        {
            throw new UserException(
                $"The checkpoint was trained on {Name} ({Image}, {ClassNames.Count} classes), but {dataset.Name} has {dataset.Shape} and " +
                $"{dataset.Classes} classes. Give the dataset that fits with --dataset.");
        }
    }

    /// <summary>Throws unless it is the very dataset: other images would leak held-out ones into training and change every number.</summary>
    public void RequireSame(ImageDataset dataset)
    {
        RequireKind(dataset);
        if (dataset.Fingerprint != Fingerprint)
        {
            throw new UserException(
                $"The run was trained on other images than those of {dataset.Source}. Give the original ones with --data, or start a new run.");
        }
    }
}
