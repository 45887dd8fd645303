namespace Capsules.Samples;

/// <summary>The size of one image.</summary>
internal readonly record struct ImageShape(long Channels, long Height, long Width)
{
    /// <summary>Throws unless height and width are at least so many pixels.</summary>
    /// <param name="size">The pixels.</param>
    /// <param name="who">Who needs them, in the plural: "CapsNet's convolutions".</param>
    /// <exception cref="UserException">They are not.</exception>
    public void RequireAtLeast(int size, string who)
    {
        if (Height < size || Width < size)
        {
            throw new UserException($"{who} need images of at least {size} x {size} pixels, but these are {Height} x {Width}. Enlarge the images.");
        }
    }

    public override string ToString() => Channels == 1 ? $"{Height} x {Width}" : $"{Height} x {Width}, {Channels} channels";
}
