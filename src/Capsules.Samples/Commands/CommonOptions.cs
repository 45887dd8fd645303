using System.CommandLine;
using System.CommandLine.Parsing;

namespace Capsules.Samples;

/// <summary>The options that several commands share.</summary>
internal static class CommonOptions
{
    public static Option<string> Dataset() => Checked(new Option<string>("--dataset")
    {
        Description = $"The images: {string.Join("; ", DatasetCatalog.Names.Select(pair => $"{pair.Key}, {pair.Value}"))}.",
        DefaultValueFactory = _ => DatasetCatalog.Auto,
    });

    public static Option<string?> Data() => new("--data")
    {
        Description = "The folder with MNIST's four IDX files, plain or gzipped. Default: CAPSULES_DATA, then the user's cache, then a download.",
    };

    public static Option<string> Device() => Among(new Option<string>("--device")
    {
        Description = "Where to compute: auto, cpu or cuda.",
        DefaultValueFactory = _ => "auto",
    }, ComputeDevice.Names);

    public static Option<int> Threads() => AtLeast(new Option<int>("--threads")
    {
        Description = "CPU threads; 0 for one per core.",
        DefaultValueFactory = _ => 0,
    }, 0);

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

    /// <summary>Refuses values below <paramref name="least"/>.</summary>
    public static Option<T> AtLeast<T>(Option<T> option, T least) where T : IComparable<T> =>
        Valid(option, value => value.CompareTo(least) >= 0, $"at least {least}");

    /// <summary>Refuses values for which <paramref name="isValid"/> does not hold.</summary>
    public static Option<T> Valid<T>(Option<T> option, Func<T, bool> isValid, string range)
    {
        option.Validators.Add(result =>
        {
            try
            {
                if (result.Tokens.Count > 0 && result.GetValueOrDefault<T>() is { } value && !isValid(value))
                {
                    result.AddError($"{option.Name} must be {range}, but is {result.Tokens[0].Value}.");
                }
            }
            catch (InvalidOperationException)
            {
                // The value is of another type, for which the parser has its own error.
            }
        });
        return option;
    }

    /// <summary>Refuses values that are not listed.</summary>
    public static Option<string> Among(Option<string> option, params string[] names) =>
        Valid(option, names.Contains, string.Join(", ", names[..^1]) + " or " + names[^1]);

    /// <summary>Whether the user gave the option.</summary>
    public static bool IsGiven(this ParseResult result, Option option) => result.GetResult(option) is { Implicit: false };

    private static Option<string> Checked(Option<string> option) => Among(option, [.. DatasetCatalog.Names.Keys]);
}
