using SkiaSharp;

namespace Capsules.Samples;

/// <summary>The colours of heat maps: from black over violet and orange to a light yellow, brighter with every step.</summary>
internal static class HeatColors
{
    private static readonly SKColor[] Stops =
    [
        new(0x08, 0x06, 0x1a), new(0x4b, 0x12, 0x72), new(0xa3, 0x2d, 0x6f), new(0xe9, 0x65, 0x30), new(0xfb, 0xc2, 0x3e), new(0xff, 0xfb, 0xd8),
    ];

    /// <summary>The colour of a value from 0 to 1; what lies outside gets the colour of the nearer end.</summary>
    public static SKColor At(float value)
    {
        var place = Math.Clamp(float.IsNaN(value) ? 0 : value, 0, 1) * (Stops.Length - 1);
        var i = Math.Min((int)place, Stops.Length - 2);
        return Mix(Stops[i], Stops[i + 1], place - i);
    }

    private static SKColor Mix(SKColor from, SKColor to, float share)
    {
        byte Between(byte a, byte b) => (byte)MathF.Round(a + (b - a) * share);
        return new SKColor(Between(from.Red, to.Red), Between(from.Green, to.Green), Between(from.Blue, to.Blue));
    }
}
