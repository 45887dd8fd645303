namespace Capsules.Samples;

/// <summary>What can be wrong with the labels of a file, in the same words for every dataset.</summary>
internal static class LabelChecks
{
    /// <summary>What is wrong where a label is out of range; null where none is.</summary>
    /// <param name="name">What the message calls the file.</param>
    /// <param name="labels">The labels.</param>
    /// <param name="first">The least that a label may be.</param>
    /// <param name="last">The most that it may be.</param>
    public static string? RangeProblem<T>(string name, ReadOnlySpan<T> labels, T first, T last) where T : IComparable<T>
    {
        var wrong = labels.IndexOfAnyExceptInRange(first, last);
        return wrong < 0 ? null : $"{name} gives image {wrong:N0} the label {labels[wrong]}, but labels are {first} to {last}.";
    }

    /// <summary>What is wrong where there is not one label for each image; null where there is.</summary>
    /// <param name="name">What the message calls the file of labels.</param>
    /// <param name="labels">How many labels there are.</param>
    /// <param name="images">How many images there are.</param>
    /// <param name="imageFile">What the message calls the file of images, where it is another one.</param>
    public static string? CountProblem(string name, long labels, long images, string? imageFile = null) => labels == images
        ? null
        : $"{name} holds {labels:N0} labels, but {(imageFile is null ? "" : $"{imageFile} holds ")}{images:N0} images.";

    /// <summary>Throws where there is a problem.</summary>
    /// <exception cref="InvalidDataException">There is one.</exception>
    public static void Require(string? problem)
    {
        if (problem is not null)
        {
            throw new InvalidDataException(problem);
        }
    }
}
