using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>
/// How the weights of another implementation become those of a module: for each of the module's names the names that it is made
/// of, and how, where layouts differ.
/// </summary>
/// <remarks>Once its rules are added, any number of threads may load by it.</remarks>
/// <example>
/// <code>
/// var mapping = new WeightsMapping
/// {
///     { "conv1.weight", "conv1.weight" },
///     { "digits.weight", "digit_capsules.route_weights", weight => weight.permute(1, 0, 2, 3) },      // (J, N, D, E) to (N, J, D, E)
/// };
/// Weights.Load(network, "peer.safetensors", mapping);
/// </code>
/// </example>
public sealed class WeightsMapping : IEnumerable<KeyValuePair<string, IReadOnlyList<string>>>
{
    private Dictionary<string, (IReadOnlyList<string> Sources, Func<IReadOnlyList<Tensor>, Tensor> Convert)> Rules { get; init; } = [];

    private string Prefix { get; init; } = "";

    /// <summary>An entry that only has another name.</summary>
    /// <param name="target">The module's name for it.</param>
    /// <param name="source">The file's name for it.</param>
    /// <exception cref="ArgumentException">There is a rule for the target, or a name is null or empty.</exception>
    public void Add(string target, string source)
    {
        ArgumentException.ThrowIfNullOrEmpty(source);
        Add(target, [source], tensors => tensors[0]);
    }

    /// <summary>An entry that is laid out differently.</summary>
    /// <param name="target">The module's name for it.</param>
    /// <param name="source">The file's name for it.</param>
    /// <param name="convert">Makes the module's layout of the file's; views are welcome.</param>
    /// <exception cref="ArgumentException">There is a rule for the target, or a name is null or empty.</exception>
    public void Add(string target, string source, Func<Tensor, Tensor> convert)
    {
        ArgumentException.ThrowIfNullOrEmpty(source);
        ArgumentNullException.ThrowIfNull(convert);
        Add(target, [source], tensors => convert(tensors[0]));
    }

    /// <summary>An entry that is made of several.</summary>
    /// <param name="target">The module's name for it.</param>
    /// <param name="sources">The file's names for its parts.</param>
    /// <param name="convert">Makes the module's entry of the parts, in the order of <paramref name="sources"/>.</param>
    /// <exception cref="ArgumentException">There is a rule for the target, its name is null or empty, or there is no source.</exception>
    public void Add(string target, IReadOnlyList<string> sources, Func<IReadOnlyList<Tensor>, Tensor> convert)
    {
        ArgumentException.ThrowIfNullOrEmpty(target);
        ArgumentNullException.ThrowIfNull(sources);
        ArgumentNullException.ThrowIfNull(convert);
        if (sources.Count == 0)
        {
            throw new ArgumentException($"'{target}' needs at least one name that it is made of.", nameof(sources));
        }

        if (!Rules.TryAdd(target, (sources, convert)))
        {
            throw new ArgumentException($"There already is a rule for '{target}'.", nameof(target));
        }
    }

    /// <summary>The same mapping of a file whose names have a prefix, as the "module." of PyTorch's DataParallel.</summary>
    /// <param name="prefix">The prefix, which is taken off before the rules are looked at; a name without it is unexpected.</param>
    /// <returns>A new mapping.</returns>
    public WeightsMapping WithoutPrefix(string prefix)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        return new WeightsMapping { Rules = new(Rules), Prefix = prefix + Prefix };
    }

    /// <summary>The targets and their sources.</summary>
    public IEnumerator<KeyValuePair<string, IReadOnlyList<string>>> GetEnumerator() =>
        Rules.Select(rule => KeyValuePair.Create(rule.Key, rule.Value.Sources)).GetEnumerator();

    System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>
    /// The module's entries that these tensors make, and those tensors that no rule uses, under their own names less the prefix; and of the entries that could not
    /// be made, why.
    /// </summary>
    /// <remarks>
    /// A rule whose sources are not all there makes nothing: its target is then missing. A tensor that no rule uses and whose name is a
    /// rule's target is not taken for it: it is unexpected.
    /// </remarks>
    internal (Dictionary<string, Tensor> Entries, List<string> Unexpected, Dictionary<string, string> Failed) Apply(
        IReadOnlyDictionary<string, Tensor> tensors)
    {
        var unexpected = tensors.Keys.Where(name => !name.StartsWith(Prefix, StringComparison.Ordinal)).ToList();
        tensors = tensors.ExceptBy(unexpected, pair => pair.Key).ToDictionary(pair => pair.Key[Prefix.Length..], pair => pair.Value);
        var failed = new Dictionary<string, string>();
        var result = new Dictionary<string, Tensor>();
        foreach (var (target, (sources, convert)) in Rules)
        {
            if (sources.All(tensors.ContainsKey))
            {
                try
                {
                    result[target] = convert([.. sources.Select(source => tensors[source])]);
                }
                catch (Exception failure) when (failure is ExternalException or ArgumentException or IndexOutOfRangeException)      // an axis that a tensor does not have
                {
                    failed[target] = $"cannot be made of {string.Join(", ", sources.Select(source => $"{source} {ShapeGuard.Text(tensors[source].shape)}"))}";
                }
            }
        }

        var used = Rules.Values.SelectMany(rule => rule.Sources).ToHashSet();
        foreach (var (name, tensor) in tensors)
        {
            if (!used.Contains(name))
            {
                if (Rules.ContainsKey(name))
                {
                    unexpected.Add(name);
                }
                else
                {
                    result.Add(name, tensor);
                }
            }
        }

        return (result, unexpected, failed);
    }
}
