namespace Capsules.Samples;

/// <summary>Finds what a mistyped name was probably meant to be.</summary>
internal static class Suggestion
{
    /// <summary>"Did you mean 'mnist'?" after a space; nothing where none of the names is near enough to be a slip of the fingers.</summary>
    public static string Sentence(string word, IEnumerable<string> names) => Closest(word, names) is { } closest ? $" Did you mean '{closest}'?" : "";

    private static string? Closest(string word, IEnumerable<string> candidates)
    {
        var nearest = candidates
            .Select(candidate => (Name: candidate, Distance: EditDistance(word.ToLowerInvariant(), candidate.ToLowerInvariant())))
            .OrderBy(candidate => candidate.Distance)
            .FirstOrDefault();
        return nearest.Name is not null && nearest.Distance <= Math.Max(2, nearest.Name.Length / 2 - 1) && nearest.Distance < word.Length
            ? nearest.Name
            : null;
    }

    // Levenshtein, one row at a time.
    private static int EditDistance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var substitution = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substitution, 1 + Math.Min(row[j], row[j - 1]));
            }
        }

        return row[b.Length];
    }
}
