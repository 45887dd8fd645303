using SkiaSharp;

namespace Capsules.Samples;

/// <summary>What colours mean, the same in every picture. Right and wrong differ in brightness too, for those who see no red or green.</summary>
internal static class PictureColors
{
    public static readonly SKColor Ink = new(0x22, 0x26, 0x2b), Muted = new(0x6a, 0x72, 0x7a), Line = new(0xd5, 0xd9, 0xde);

    public static readonly SKColor Right = new(0x1b, 0x9e, 0x4b), Wrong = new(0xd6, 0x2c, 0x2c), Neutral = new(0x8c, 0xa6, 0xc0);
}
