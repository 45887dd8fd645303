using SkiaSharp;

namespace Capsules.Samples;

/// <summary>Panels below or beside each other, aligned at the left or at the top.</summary>
internal sealed class StackPanel : Panel
{
    private readonly IReadOnlyList<Panel> _panels;
    private readonly bool _isRow;
    private readonly int _gap;

    private StackPanel(bool isRow, int gap, IReadOnlyList<Panel> panels)
    {
        (_isRow, _gap, _panels) = (isRow, gap, panels);
        var gaps = Math.Max(panels.Count - 1, 0) * gap;
        Width = isRow ? panels.Sum(panel => panel.Width) + gaps : panels.Max(panel => panel.Width);
        Height = isRow ? panels.Max(panel => panel.Height) : panels.Sum(panel => panel.Height) + gaps;
    }

    public override int Width { get; }

    public override int Height { get; }

    public static StackPanel Row(int gap, params IReadOnlyList<Panel> panels) => new(true, gap, panels);

    public static StackPanel Column(int gap, params IReadOnlyList<Panel> panels) => new(false, gap, panels);

    /// <summary>A whole picture: a heading, what is seen in it, and the panels that show it, as wide as the widest of these.</summary>
    public static StackPanel Titled(string title, string note, params IReadOnlyList<Panel> panels)
    {
        var width = Math.Max(panels.Max(panel => panel.Width), 480);
        return Column(14,
        [
            Column(2,
                new TextPanel(title, PictureFont.Heading, bold: true, maxWidth: width),
                new TextPanel(note, color: PictureColors.Muted, maxWidth: width)),
            .. panels,
        ]);
    }

    public override void Draw(SKCanvas canvas, int x, int y)
    {
        foreach (var panel in _panels)
        {
            panel.Draw(canvas, x, y);
            (x, y) = _isRow ? (x + panel.Width + _gap, y) : (x, y + panel.Height + _gap);
        }
    }
}
