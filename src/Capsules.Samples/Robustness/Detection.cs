namespace Capsules.Samples;

/// <summary>How well a number tells attacked images, where it should be larger, from clean ones.</summary>
internal static class Detection
{
    /// <summary>
    /// The area under the receiver operating characteristic: how often the number is larger for an attacked image than for a clean one,
    /// ties counted half. One half for no better than chance; not a number where either has no images.
    /// </summary>
    public static double Area(IReadOnlyList<float> clean, IReadOnlyList<float> attacked)
    {
        var sorted = clean.Order().ToArray();
        var larger = attacked.Sum(value =>
        {
            var below = CountBelow(sorted, value, orEqual: false);
            return below + 0.5 * (CountBelow(sorted, value, orEqual: true) - below);
        });
        return larger / ((double)clean.Count * attacked.Count);
    }

    /// <summary>The least threshold above which no more than a share of the clean images lies.</summary>
    public static float Threshold(IReadOnlyList<float> clean, double falsePositives) =>
        clean.OrderDescending().ElementAt((int)(falsePositives * clean.Count));

    private static int CountBelow(float[] sorted, float value, bool orEqual)
    {
        var (from, to) = (0, sorted.Length);
        while (from < to)
        {
            var middle = (from + to) / 2;
            if (sorted[middle] < value || (orEqual && sorted[middle] == value))
            {
                from = middle + 1;
            }
            else
            {
                to = middle;
            }
        }

        return from;
    }
}
