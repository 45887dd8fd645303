namespace Capsules.Samples;

/// <summary>Loads MNIST, or other images in MNIST's four files: 28 x 28 pixels, labels 0 to 9.</summary>
/// <remarks>
/// Only the structure must be right. Files of other content, such as Fashion-MNIST's or a user's own, are welcome; a notice says that
/// they are not the original ones, because figures on them do not compare with published ones.
/// </remarks>
internal static class Mnist
{
    public const string Name = "mnist";
    public const int Size = 28;
    private static readonly string[] Digits = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

    /// <summary>Reads and checks the four files.</summary>
    /// <param name="folder">A complete folder.</param>
    /// <param name="isCache">The folder is the one that downloads go to, so a bad file is mended by deleting it.</param>
    /// <param name="notice">Receives what the user should know and need not mend.</param>
    /// <exception cref="UserException">A file is unreadable, damaged or does not fit the others.</exception>
    public static ImageDataset Load(MnistFolder folder, bool isCache, Action<string> notice)
    {
        // All checks come before the first tensor, so a failure leaves none behind.
        var trainImages = ReadImages(MnistFile.TrainImages);
        var trainLabels = ReadLabels(MnistFile.TrainLabels, MnistFile.TrainImages, trainImages.Dimensions[0]);
        var testImages = ReadImages(MnistFile.TestImages);
        var testLabels = ReadLabels(MnistFile.TestLabels, MnistFile.TestImages, testImages.Dimensions[0]);

        IdxFile[] read = [trainImages, trainLabels, testImages, testLabels];
        var isOriginal = read.Zip(MnistFile.All).All(pair => pair.First.Sha256 == pair.Second.Sha256);
        if (!isOriginal)
        {
            notice($"The files in {folder.Folder} are well-formed but not the original MNIST (checksums differ): they are used as they are.");
        }

        return new ImageDataset(Name, folder.Folder, Digits, Split(trainImages, trainLabels), Split(testImages, testLabels), isOriginal);

        IdxFile ReadImages(MnistFile file)
        {
            var images = Read(file);
            return images.Dimensions is [> 0, Size, Size]
                ? images
                : throw Bad(file, $"{folder.PathOf(file)} holds {Shape(images)} values, but expected were N x {Size} x {Size} for N images.");
        }

        IdxFile ReadLabels(MnistFile file, MnistFile imageFile, int imageCount)
        {
            var labels = Read(file);
            if (labels.Dimensions is not [var count])
            {
                throw Bad(file, $"{folder.PathOf(file)} holds {Shape(labels)} values, but expected was one label for each image.");
            }

            if (count != imageCount)
            {
                throw Bad(file, $"{folder.PathOf(file)} holds {count:N0} labels, but {folder.PathOf(imageFile)} holds {imageCount:N0} images.");
            }

            var wrong = labels.Values.AsSpan().IndexOfAnyExceptInRange((byte)0, (byte)(Digits.Length - 1));
            return wrong < 0
                ? labels
                : throw Bad(file, $"{folder.PathOf(file)} gives image {wrong:N0} the label {labels.Values[wrong]}, but labels are 0 to {Digits.Length - 1}.");
        }

        IdxFile Read(MnistFile file)
        {
            try
            {
                return IdxFile.Read(folder.PathOf(file));
            }
            catch (InvalidDataException cause)
            {
                throw Bad(file, cause.Message, cause);
            }
            catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
            {
                throw new UserException($"{folder.PathOf(file)} cannot be read ({cause.Message.TrimEnd('.')}). Check its permissions, or name another folder with --data.", cause);
            }
        }

        UserException Bad(MnistFile file, string problem, Exception? cause = null) => new(
            isCache
                ? $"{problem} Delete the file and run again to download it anew."
                : $"{problem} Replace it with a fresh copy, for example from {new Uri(MnistDownload.PublicMirrors[0], file.Name)}.gz.",
            cause);
    }

    private static string Shape(IdxFile file) => string.Join(" x ", file.Dimensions);

    private static ImageSplit Split(IdxFile images, IdxFile labels) =>
        ImageSplit.FromArrays(images.Values, labels.Values, channels: 1, Size, Size);
}
