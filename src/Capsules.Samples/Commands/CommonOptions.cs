using System.CommandLine;
using System.Globalization;

namespace Capsules.Samples;

/// <summary>The options that several commands share.</summary>
internal static class CommonOptions
{
    private static readonly int MostThreads = 4 * Environment.ProcessorCount;

    /// <summary>What a command looks at.</summary>
    public static Argument<string> Run() => new("run")
    {
        Description = $"A run folder, of which the best checkpoint is taken; a checkpoint file or a {NetworkFile.Extension} file of a network; " +
            $"or {NetworkFile.Pretrained}, the network that is shipped with the program.",
    };

    public static Option<string> Dataset() => new Option<string>("--dataset")
    {
        Description = $"The images: {string.Join("; ", DatasetCatalog.Names.Select(pair => $"{pair.Key}, {pair.Value}"))}.",
        DefaultValueFactory = _ => DatasetCatalog.Auto,
    };

    public static Option<string> Model() => new("--model")
    {
        Description = $"The network: {string.Join("; ", NetworkCatalog.All.Select(kind => $"{kind.Name}, {kind.Description}"))}.",
        DefaultValueFactory = _ => NetworkCatalog.Default,
    };

    public static Option<string?> Data() => new("--data")
    {
        Description = "The folder with the dataset's files (see the command datasets). Default: CAPSULES_DATA, then the user's cache, then a download.",
    };

    public static Option<int?> ImageSize() => Valid(new Option<int?>("--image-size")
    {
        Description = $"Scale images to so many pixels a side ({NamesOf(kind => kind.TakesImageSize)}).",
    }, size => size is >= 1 and <= 1024, "between 1 and 1024");

    public static Option<bool> Grey() => new("--grey") { Description = $"Turn colour images to grey ({NamesOf(kind => kind.TakesGrey)})." };

    public static Option<int?> Crop() => Valid(new Option<int?>("--crop")
    {
        Description = "Take windows of so many pixels a side: of images to train on another one in each epoch, of those to test on the middle one.",
    }, size => size is >= 1 and <= 1024, "between 1 and 1024");

    private static string NamesOf(Func<DatasetKind, bool> which) => string.Join(", ", DatasetCatalog.All.Where(which).Select(kind => kind.Name));

    public static Option<string> Device() => Among(new Option<string>("--device")
    {
        Description = "Where to compute: auto, cpu or cuda.",
        DefaultValueFactory = _ => "auto",
    }, ComputeDevice.Names);

    public static Option<int> Threads() => Valid(new Option<int>("--threads")
    {
        Description = "CPU threads; 0 for one per core.",
        DefaultValueFactory = _ => 0,
    }, threads => threads >= 0 && threads <= MostThreads, $"between 0 and {MostThreads}");

    public static Option<string> Output() => new("--output")
    {
        Description = "The folder in which run folders are made.",
        DefaultValueFactory = _ => "runs",
    };

    public static Option<int> Seed() => new("--seed")
    {
        Description = "The seed of weights, shuffling and augmentation.",
        DefaultValueFactory = _ => new TrainingOptions().Seed,
    };

    /// <summary>Which class, for the commands that look at one test image.</summary>
    public static Option<string?> Digit() => new("--digit", "--class")
    {
        Description = "The class, by its name, of which the first test image that is read right is taken. [default: the first class]",
    };

    /// <summary>Which test image.</summary>
    public static Option<long?> Index() => AtLeast(new Option<long?>("--index") { Description = "The test image, counted from 0, instead of --digit." }, 0);

    /// <summary>Refuses values below <paramref name="least"/>.</summary>
    public static Option<T> AtLeast<T>(Option<T> option, T least) =>
        Valid(option, value => Comparer<T>.Default.Compare(value, least) >= 0, $"at least {least}");

    /// <summary>Refuses values for which <paramref name="isValid"/> does not hold.</summary>
    public static Option<T> Valid<T>(Option<T> option, Func<T, bool> isValid, string range)
    {
        // The parser's own error would speak of the .NET type and not of the range.
        option.CustomParser = argument =>
        {
            var text = argument.Tokens[^1].Value;
            try
            {
                var value = (T)Parsed(text, Nullable.GetUnderlyingType(typeof(T)) ?? typeof(T));
                if (isValid(value))
                {
                    return value;
                }
            }
            catch (Exception failure) when (failure is FormatException or OverflowException)
            {
                // Reported below, like a value out of range.
            }

            argument.AddError($"{option.Name} must be {range}, but is {text}.");
            return default!;
        };
        return option;
    }

    // To Convert a comma in a number with a fraction stands between thousands, wherever it stands, and 0,001 is 1.
    private static object Parsed(string text, Type type) => type == typeof(double)
        ? double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture)
        : Convert.ChangeType(text, type, CultureInfo.InvariantCulture);

    /// <summary>Refuses values that are not listed.</summary>
    public static Option<string> Among(Option<string> option, params string[] names) =>
        Valid(option, names.Contains, string.Join(", ", names[..^1]) + " or " + names[^1]);

    /// <summary>Whether the user gave the option.</summary>
    public static bool IsGiven(this ParseResult result, Option option) => result.GetResult(option) is { Implicit: false };
}
