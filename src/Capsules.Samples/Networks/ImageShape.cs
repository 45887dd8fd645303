namespace Capsules.Samples;

/// <summary>The size of one image.</summary>
internal readonly record struct ImageShape(long Channels, long Height, long Width)
{
    public override string ToString() => Channels == 1 ? $"{Height} x {Width}" : $"{Height} x {Width}, {Channels} channels";
}
