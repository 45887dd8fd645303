using System.Security.Cryptography;
using System.Text;

namespace Capsules.Samples;

/// <summary>The user's own pictures: a folder with a folder for each class, or folders train and test with those in them.</summary>
/// <remarks>
/// Where there are no folders train and test, every fifth picture of a class is for testing, chosen by a hash of its name: the same
/// on every machine, and a new picture moves few others from one side to the other.
/// </remarks>
internal static class ImageFolder
{
    public const string Name = "folder";

    private const int MostClasses = 256, TestShare = 5, LargestByItself = 128;
    private const long MostBytes = 2_000_000_000;
    private static readonly string[] Endings = [".png", ".jpg", ".jpeg", ".bmp", ".webp"];

    public static DatasetKind Kind { get; } = new(
        Name, "a folder of pictures", "your own pictures: --data with a folder for each class; see --image-size and --grey", "yours",
        [], source => Load(source.Given!, source.Options, source.Notice))
    { Data = DataFolderUse.Dataset, TakesImageSize = true, TakesGrey = true };

    private sealed record Picture(string Path, int Label);

    /// <summary>Reads all pictures.</summary>
    /// <exception cref="UserException">The folder is not laid out so, or a picture cannot be read.</exception>
    public static ImageDataset Load(string folder, DatasetOptions options, Action<string> notice)
    {
        if (!Directory.Exists(folder))
        {
            throw new UserException(
                $"--data is {folder}, but {(File.Exists(folder) ? "that is a file, not a folder" : "there is no such folder")}.");
        }

        try
        {
            var (classNames, train, test) = Find(folder, notice);
            var shape = ShapeOf([.. train, .. test], options);
            return new ImageDataset(Name, folder, classNames, Read(train, shape), Read(test, shape));
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{folder} cannot be read ({cause.Message.TrimEnd('.')}). Check its permissions.", cause);
        }
    }

    private static (List<string> ClassNames, List<Picture> Train, List<Picture> Test) Find(string folder, Action<string> notice)
    {
        var (trainFolder, testFolder) = (Path.Combine(folder, "train"), Path.Combine(folder, "test"));
        var isSplit = Directory.Exists(trainFolder) && Directory.Exists(testFolder);
        var classNames = ClassesOf(isSplit ? trainFolder : folder);
        if (isSplit)
        {
            var others = ClassesOf(testFolder).Except(classNames).ToList();
            return others.Count == 0
                ? (classNames, PicturesOf(trainFolder, classNames, notice), PicturesOf(testFolder, classNames, notice))
                : throw new UserException(
                    $"{testFolder} has the class {others[0]}, which {trainFolder} has not. The classes of both must be the same.");
        }

        var (train, test) = (new List<Picture>(), new List<Picture>());
        foreach (var group in PicturesOf(folder, classNames, notice).GroupBy(picture => picture.Label))
        {
            var shuffled = group.OrderBy(picture => HashOf(Path.GetFileName(picture.Path)), StringComparer.Ordinal).ToList();
            if (shuffled.Count < 2)
            {
                throw new UserException(
                    $"{Path.Combine(folder, classNames[group.Key])} holds one picture, but at least two are needed: one to train on and " +
                    "one to test on.");
            }

            var count = Math.Max(1, shuffled.Count / TestShare);
            test.AddRange(shuffled[..count]);
            train.AddRange(shuffled[count..]);
        }

        notice(
            $"{folder} has no folders train and test: {test.Count:N0} of its {train.Count + test.Count:N0} pictures, chosen by their " +
            "names, are for testing.");
        return (classNames, train, test);
    }

    private static string HashOf(string name) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(name)));

    private static List<string> ClassesOf(string folder)
    {
        var names = Directory.EnumerateDirectories(folder).Select(path => Path.GetFileName(path)).Where(name => !name.StartsWith('.'))
            .Order(StringComparer.Ordinal).ToList();
        return names.Count is >= 2 and <= MostClasses
            ? names
            : throw new UserException(
                $"{folder} holds {names.Count} folders, but expected were 2 to {MostClasses}, one for each class, with its pictures in " +
                "it.");
    }

    private static List<Picture> PicturesOf(string folder, List<string> classNames, Action<string> notice)
    {
        var pictures = new List<Picture>();
        for (var label = 0; label < classNames.Count; label++)
        {
            var place = Path.Combine(folder, classNames[label]);
            string[] all = Directory.Exists(place) ? Directory.GetFiles(place) : [];
            var files = all.Where(path => !Path.GetFileName(path).StartsWith('.')).Order(StringComparer.Ordinal).ToList();
            var known = files.Where(path => Endings.Contains(Path.GetExtension(path).ToLowerInvariant())).ToList();
            if (known.Count == 0)
            {
                throw new UserException($"{place} holds no pictures ({string.Join(", ", Endings)}). Every class needs some.");
            }

            if (known.Count < files.Count)
            {
                notice($"{place} holds {files.Count - known.Count} files that are no pictures by their names: they are left out.");
            }

            var of = label;
            pictures.AddRange(known.Select(path => new Picture(path, of)));
        }

        return pictures;
    }

    private static ImageShape ShapeOf(IReadOnlyList<Picture> pictures, DatasetOptions options)
    {
        var first = PicturePixels.InfoOf(pictures[0].Path);
        var isGrey = true;
        foreach (var picture in pictures)
        {
            var info = PicturePixels.InfoOf(picture.Path);
            isGrey &= info.IsGrey;
            if (options.ImageSize is null && (info.Width, info.Height) != (first.Width, first.Height))
            {
                throw new UserException(
                    $"{picture.Path} is {info.Width} x {info.Height}, but {pictures[0].Path} is {first.Width} x {first.Height}. Give " +
                    "the size that all are scaled to with --image-size.");
            }
        }

        if (options.ImageSize is null && Math.Max(first.Width, first.Height) > LargestByItself)
        {
            throw new UserException(
                $"The pictures are {first.Width} x {first.Height}, which makes a network too large. Give a smaller size with " +
                "--image-size, such as 48.");
        }

        var shape = new ImageShape(options.Grey || isGrey ? 1 : 3, options.ImageSize ?? first.Height, options.ImageSize ?? first.Width);
        return pictures.Count * shape.Channels * shape.Height * shape.Width <= MostBytes
            ? shape
            : throw new UserException(
                $"{pictures.Count:N0} pictures of {shape} are more than memory should hold. Give a smaller --image-size.");
    }

    private static ImageSplit Read(List<Picture> pictures, ImageShape shape)
    {
        var bytes = (int)(shape.Channels * shape.Height * shape.Width);
        var pixels = new byte[pictures.Count * bytes];
        var (gate, first, failure) = (new Lock(), int.MaxValue, (UserException?)null);
        Parallel.For(0, pictures.Count, (i, loop) =>
        {
            try
            {
                PicturePixels.Read(pictures[i].Path, shape, pixels.AsSpan(i * bytes, bytes));
            }
            catch (UserException problem)
            {
                lock (gate)
                {
                    (first, failure) = i < first ? (i, problem) : (first, failure);      // the first in order, whichever thread is first
                }

                loop.Break();
            }
        });
        return failure is null
            ? ImageSplit.FromArrays(pixels, [.. pictures.Select(picture => (byte)picture.Label)], shape.Channels, shape.Height, shape.Width)
            : throw failure;
    }
}
