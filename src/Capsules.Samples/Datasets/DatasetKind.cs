namespace Capsules.Samples;

/// <summary>A dataset that <c>--dataset</c> names.</summary>
/// <param name="Name">Its name on the command line and in checkpoints.</param>
/// <param name="Title">Its name for readers.</param>
/// <param name="Description">What it is, in a line: images, sizes, counts.</param>
/// <param name="Origin">Whose it is, where it is published, and on which terms; in a line.</param>
/// <param name="Needs">The files that it is read from or made of; none where it needs no download.</param>
/// <param name="Open">Reads or makes it.</param>
internal sealed record DatasetKind(
    string Name, string Title, string Description, string Origin, IReadOnlyList<FileSet> Needs, Func<DatasetSource, ImageDataset> Open)
{
    /// <summary>What <c>--data</c> is to it: one of the places to look for its files, all there is of it, or nothing.</summary>
    public DataFolderUse Data { get; init; } = DataFolderUse.Place;

    /// <summary>Whether <c>--image-size</c> means something to it.</summary>
    public bool TakesImageSize { get; init; }

    /// <summary>Whether <c>--grey</c> means something to it.</summary>
    public bool TakesGrey { get; init; }

    /// <summary>How its training images are augmented where nothing is said; null as the network's recipe does.</summary>
    public Augmentation? Augmentation { get; init; }
}

/// <summary>What the folder of <c>--data</c> is to a dataset.</summary>
internal enum DataFolderUse
{
    /// <summary>A place where its files may lie.</summary>
    Place,

    /// <summary>The dataset itself, which has to be named.</summary>
    Dataset,

    /// <summary>Nothing.</summary>
    None,
}

/// <summary>What a dataset is opened with.</summary>
/// <param name="Folders">The folders that hold its files, one for each of <see cref="DatasetKind.Needs"/>.</param>
/// <param name="Given">The folder of <c>--data</c>, or null.</param>
/// <param name="Options">What the user wants of it.</param>
/// <param name="Notice">Receives sentences that the user should read.</param>
internal sealed record DatasetSource(IReadOnlyList<DatasetFolder> Folders, string? Given, DatasetOptions Options, Action<string> Notice);

/// <summary>What can be chosen of a dataset beside its name.</summary>
/// <param name="ImageSize">Images are scaled to so many pixels a side; null for their own size.</param>
/// <param name="Grey">Colour images are turned to grey.</param>
/// <param name="Crop">Windows of so many pixels a side are taken of the images; null for whole ones.</param>
internal sealed record DatasetOptions(int? ImageSize = null, bool Grey = false, int? Crop = null);
