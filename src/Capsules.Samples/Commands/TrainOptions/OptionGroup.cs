using System.CommandLine;
using System.Text.RegularExpressions;

namespace Capsules.Samples;

/// <summary>Options of <c>train</c> that belong together, and what they make of a network's recipe.</summary>
internal abstract class OptionGroup
{
    protected static readonly TrainingOptions Defaults = NetworkCatalog.Get(NetworkCatalog.Default).Recipe;

    private static readonly Regex WordStart = new("(?<!^)[A-Z](?=[a-z])");

    private readonly List<Option> _options = [];

    /// <summary>The options, in the order in which help lists them.</summary>
    public IReadOnlyList<Option> Options => _options;

    /// <summary>The recipe with what the command line says of this group.</summary>
    /// <exception cref="UserException">Two options contradict each other.</exception>
    public abstract TrainingOptions Apply(ParseResult result, TrainingOptions recipe);

    /// <summary>Adds an option to the group.</summary>
    protected Option<T> Add<T>(Option<T> option)
    {
        _options.Add(option);
        return option;
    }

    /// <summary>An option with a default that holds for all networks.</summary>
    protected static Option<T> New<T>(string name, string description, T byDefault) =>
        new(name) { Description = description, DefaultValueFactory = _ => byDefault };

    /// <summary>An option of which the default is that of the network's recipe.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it does.</param>
    /// <param name="inRecipe">Its value in a recipe.</param>
    /// <param name="further">A further default, in words.</param>
    protected static Option<T> OfModel<T>(string name, string description, Func<TrainingOptions, T> inRecipe, string? further = null)
    {
        var others = NetworkCatalog.All
            .Where(kind => !kind.WithoutOptions.Contains(name) && !Equals(inRecipe(kind.Recipe), inRecipe(Defaults)))
            .Select(kind => FormattableString.Invariant($"with --model {kind.Name} {inRecipe(kind.Recipe)}"));
        string[] defaults = [FormattableString.Invariant($"{inRecipe(Defaults)}"), .. others, .. further is null ? Array.Empty<string>() : [further]];
        return new(name) { Description = $"{description} [default: {string.Join("; ", defaults)}]" };
    }

    /// <summary>An option that takes the names of an enum, in kebab-case.</summary>
    protected static Option<string?> OfEnum<T>(Option<string?> option) where T : struct, Enum
    {
        CommonOptions.Among(option!, [.. Enum.GetValues<T>().Select(Name)]);
        return option;
    }

    /// <summary>The value of such an option; null where it is not given.</summary>
    protected static T? Value<T>(ParseResult result, Option<string?> option) where T : struct, Enum =>
        result.GetValue(option) is { } text ? Enum.GetValues<T>().Single(value => Name(value) == text) : null;

    /// <summary>HeldOut as held-out, AdamW as adamw.</summary>
    protected static string Name<T>(T value) where T : struct, Enum => WordStart.Replace($"{value}", "-$0").ToLowerInvariant();
}
