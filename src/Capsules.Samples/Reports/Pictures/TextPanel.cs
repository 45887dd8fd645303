using SkiaSharp;

namespace Capsules.Samples;

/// <summary>Text, broken into lines between words where it is wider than allowed.</summary>
internal sealed class TextPanel : Panel
{
    private readonly List<string> _lines;
    private readonly int _size;
    private readonly bool _bold;
    private readonly SKColor _color;

    public TextPanel(string text, int size = PictureFont.Normal, bool bold = false, SKColor? color = null, int maxWidth = int.MaxValue)
    {
        (_size, _bold, _color) = (size, bold, color ?? PictureColors.Ink);
        _lines = [.. text.Split('\n').SelectMany(line => Broken(line, maxWidth))];
        Width = _lines.Max(line => PictureFont.Width(line, size, bold));
        Height = _lines.Count * PictureFont.LineHeight(size);
    }

    public override int Width { get; }

    public override int Height { get; }

    public override void Draw(SKCanvas canvas, int x, int y)
    {
        foreach (var line in _lines)
        {
            PictureFont.Draw(canvas, line, x, y, _size, _color, _bold);
            y += PictureFont.LineHeight(_size);
        }
    }

    private List<string> Broken(string text, int maxWidth)
    {
        var lines = new List<string>();
        var line = "";
        foreach (var word in text.Split(' '))
        {
            var longer = line.Length == 0 ? word : $"{line} {word}";
            if (line.Length > 0 && PictureFont.Width(longer, _size, _bold) > maxWidth)
            {
                lines.Add(line);
                longer = word;
            }

            line = longer;
        }

        lines.Add(line);
        return lines;
    }
}
