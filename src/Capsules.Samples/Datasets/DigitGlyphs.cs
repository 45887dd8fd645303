using System.Globalization;

namespace Capsules.Samples;

/// <summary>A point of a pen stroke in the glyph's box: x to the right, y down, both about 0 to 1.</summary>
/// <param name="IsCorner">The pen turns sharply here; elsewhere it follows a smooth curve through the points.</param>
internal readonly record struct StrokePoint(double X, double Y, bool IsCorner);

/// <summary>The pen strokes of the digits 0 to 9, in several ways to write each.</summary>
internal static class DigitGlyphs
{
    // One string is one way to write the digit; a '|' lifts the pen; the points are x,y in hundredths; '!' is a corner.
    // A way listed twice is written twice as often.
    private static readonly string[][] Sources =
    [
        [ // 0: closed, begun at the right, open at the top with overlap
            "50,0 20,12 0,50 18,88 50,100 82,88 100,50 80,12 50,0",
            "72,10 46,0 20,20 10,55 26,92 54,100 80,80 88,42 72,10 54,4",
            "36,6 12,28 6,62 28,96 58,96 84,72 90,34 68,6 46,10 30,26",
        ],
        [ // 1: a stick, with a flag, with a flag and a foot
            "50,0 50,50 50,100",
            "56,0 50,34 48,68 44,100",
            "48,0 52,48 48,100",
            "30,24 44,12 56,0! 54,50 52,100",
            "28,26 44,14 54,0! 53,50 52,99 | 26,100 52,99 78,100",
        ],
        [ // 2: flat foot, with a loop, rounded
            "12,24 26,4 56,0 78,18 74,42 46,70 12,98! 44,96 90,98",
            "14,20 34,2 64,4 78,24 66,54 38,84 18,98 8,90 20,80 44,90 68,98 92,90",
            "10,30 20,8 50,0 76,12 78,34 52,66 10,100! 88,92",
        ],
        [ // 3: round, round with a loop in the middle, flat top
            "14,12 38,0 68,6 74,26 58,42 36,48! 62,50 82,68 76,90 46,100 12,88",
            "12,16 34,2 66,4 74,24 56,42 38,46 46,52 72,56 82,76 62,98 30,100 8,88",
            "14,4 44,2 80,2! 60,22 40,42! 68,46 84,68 72,94 40,100 10,88",
        ],
        [ // 4: open, open with a bowl, closed
            "22,4 18,30 14,56! 50,56 92,52 | 72,8 70,54 66,100",
            "16,10 20,36 40,48 70,40 88,4! 78,52 64,100",
            "20,6 14,34 20,54 46,58 72,48 | 78,0 74,48 70,100",
            "66,0 38,32 8,66! 50,66 94,64 | 66,0 66,50 64,100",
        ],
        [ // 5: bar last, in one go, with a slanting neck
            "26,4 22,24 18,46! 48,38 78,54 78,82 48,100 12,90 | 26,4 54,4 88,0",
            "84,4 56,4 28,6! 24,26 18,46! 50,38 80,56 76,84 46,100 12,88",
            "32,2 26,22 22,42! 44,44 74,58 72,86 44,100 8,94 | 32,3 60,6 92,0",
        ],
        [ // 6: with a curved back, with a straight back, small bowl
            "70,2 38,20 16,54 18,86 46,100 76,88 76,62 52,50 26,62 18,80",
            "56,0 32,36 18,70 26,94 52,100 76,84 72,62 48,56 24,74",
            "78,8 50,4 22,30 12,66 30,96 60,98 80,78 64,56 36,58 18,76",
        ],
        [ // 7: plain, curved, with a bar, with a serif
            "10,6 46,4 86,4! 64,46 40,100",
            "12,10 44,4 84,6! 66,34 52,66 46,100",
            "10,6 46,4 86,4! 64,46 40,100 | 32,52 56,50 82,50",
            "12,26 14,6! 48,6 86,2! 62,46 44,100",
        ],
        [ // 8: one stroke from the top right, from the middle, two rings
            "78,14 52,0 26,12 28,32 54,48 78,68 74,92 48,100 22,88 22,68 48,48 72,30 78,12 62,2",
            "50,48 26,32 26,10 50,0 74,12 72,34 50,48 24,66 22,88 50,100 78,86 76,64 50,46",
            "52,0 28,10 28,34 50,46 72,34 74,12 52,0 | 50,46 22,60 20,86 48,100 78,88 78,62 50,46",
        ],
        [ // 9: straight stem, curved stem, hooked
            "76,22 54,2 26,8 16,32 32,50 60,44 76,20! 74,60 68,100",
            "74,16 48,0 22,14 20,40 42,50 68,38 76,14 74,50 60,82 42,100",
            "76,18 52,0 24,10 18,36 38,50 66,40 78,14! 78,56 66,92 40,100 16,88",
        ],
    ];

    private static readonly StrokePoint[][][][] Ways = Array.ConvertAll(Sources, ways => Array.ConvertAll(ways, ParseStrokes));

    /// <summary>The ways to write a digit; each is a list of strokes, each of those a list of points.</summary>
    public static ReadOnlySpan<StrokePoint[][]> Of(int digit) => Ways[digit];

    private static StrokePoint[][] ParseStrokes(string source) => Array.ConvertAll(source.Split('|'), ParseStroke);

    private static StrokePoint[] ParseStroke(string source) =>
        Array.ConvertAll(source.Split(' ', StringSplitOptions.RemoveEmptyEntries), ParsePoint);

    private static StrokePoint ParsePoint(string source)
    {
        var xy = source.TrimEnd('!').Split(',');
        return new StrokePoint(
            int.Parse(xy[0], CultureInfo.InvariantCulture) / 100.0,
            int.Parse(xy[1], CultureInfo.InvariantCulture) / 100.0,
            source.EndsWith('!'));
    }
}
