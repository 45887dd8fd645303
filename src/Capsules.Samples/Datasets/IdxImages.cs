namespace Capsules.Samples;

/// <summary>How a dataset lies in four IDX files of 28 x 28 pixels, as MNIST and those made in its image do.</summary>
/// <remarks>
/// Only the structure must be right. Files of other content, such as a user's own, are welcome; a notice says that they are not the
/// original ones, because figures on them do not compare with published ones.
/// </remarks>
/// <param name="Name">The dataset's name.</param>
/// <param name="ClassNames">One for each label, in order.</param>
/// <param name="FirstLabel">The label of the first class.</param>
/// <param name="IsTransposed">Images are stored column by column.</param>
internal sealed record IdxImages(string Name, IReadOnlyList<string> ClassNames, byte FirstLabel = 0, bool IsTransposed = false)
{
    private const int Size = 28;

    /// <summary>Reads and checks the files.</summary>
    /// <param name="folder">A complete folder of four files: training images and labels, test images and labels.</param>
    /// <param name="notice">Receives what the user should know and need not mend.</param>
    /// <exception cref="UserException">A file is unreadable, damaged or does not fit the others.</exception>
    public ImageDataset Load(DatasetFolder folder, Action<string> notice)
    {
        // All checks come before the first tensor, so a failure leaves none behind.
        var files = folder.Set.Files;
        var trainImages = ReadImages(folder, files[0]);
        var trainLabels = ReadLabels(folder, files[1], files[0], trainImages.Dimensions[0]);
        var testImages = ReadImages(folder, files[2]);
        var testLabels = ReadLabels(folder, files[3], files[2], testImages.Dimensions[0]);
        if (folder.Set != Mnist.Files && trainImages.Sha256 == Mnist.Files.Files[0].Published.Sha256)
        {
            throw new UserException(
                $"{folder.Folder} holds MNIST, whose files have the same names, and not {folder.Set.Title}. " +
                $"Put {folder.Set.Title} into a folder {folder.Set.Folder} and name the folder around it with --data.");
        }

        IdxFile[] read = [trainImages, trainLabels, testImages, testLabels];
        var isOriginal = folder.CheckOriginal(notice, file => read[files.ToList().IndexOf(file)].Sha256);
        return new ImageDataset(Name, folder.Folder, ClassNames, Split(trainImages, trainLabels), Split(testImages, testLabels), isOriginal);
    }

    private static IdxFile ReadImages(DatasetFolder folder, DatasetFile file)
    {
        var images = folder.Read(file, IdxFile.Read);
        return images.Dimensions is [> 0, Size, Size]
            ? images
            : throw folder.Bad(file,
                $"{folder.PathOf(file)} holds {Shape(images)} values, but expected were N x {Size} x {Size} for N images.");
    }

    private IdxFile ReadLabels(DatasetFolder folder, DatasetFile file, DatasetFile imageFile, int imageCount)
    {
        var labels = folder.Read(file, IdxFile.Read);
        if (labels.Dimensions is not [var count])
        {
            throw folder.Bad(file, $"{folder.PathOf(file)} holds {Shape(labels)} values, but expected was one label for each image.");
        }

        var problem = LabelChecks.CountProblem(folder.PathOf(file), count, imageCount, folder.PathOf(imageFile))
            ?? LabelChecks.RangeProblem<byte>(folder.PathOf(file), labels.Values, FirstLabel, (byte)(FirstLabel + ClassNames.Count - 1));
        return problem is null ? labels : throw folder.Bad(file, problem);
    }

    private ImageSplit Split(IdxFile images, IdxFile labels)
    {
        var classes = FirstLabel == 0 ? labels.Values : Array.ConvertAll(labels.Values, label => (byte)(label - FirstLabel));
        return ImageSplit.FromArrays(IsTransposed ? ColumnOrder.ToRows(images.Values, Size) : images.Values, classes, channels: 1, Size, Size);
    }

    private static string Shape(IdxFile file) => string.Join(" x ", file.Dimensions);
}
