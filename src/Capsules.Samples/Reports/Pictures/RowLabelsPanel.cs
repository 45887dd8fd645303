using SkiaSharp;

namespace Capsules.Samples;

/// <summary>Names beside the rows of a matrix, evenly spread; where rows are too low for letters, every second or so is named.</summary>
internal sealed class RowLabelsPanel(IReadOnlyList<string> names, int height) : Panel
{
    private const int LongestName = 140;

    private readonly string[] _names = [.. names.Select(name => PictureFont.Fit(name, PictureFont.Small, LongestName))];

    public override int Width => _names.Max(name => PictureFont.Width(name, PictureFont.Small));

    public override int Height => height;

    public override void Draw(SKCanvas canvas, int x, int y)
    {
        var row = height / (double)_names.Length;
        var every = (int)Math.Ceiling((PictureFont.Small + 1) / row);
        for (var i = 0; i < _names.Length; i += every)
        {
            PictureFont.Draw(canvas, _names[i], x + Width, (int)(y + (i + 0.5) * row) - PictureFont.LineHeight(PictureFont.Small) / 2,
                PictureFont.Small, PictureColors.Ink, align: SKTextAlign.Right);
        }
    }
}
