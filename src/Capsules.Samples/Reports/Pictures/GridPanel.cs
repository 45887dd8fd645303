using SkiaSharp;

namespace Capsules.Samples;

/// <summary>A place in a grid.</summary>
/// <param name="Panel">What is shown.</param>
/// <param name="Caption">What is written below it, in one or more lines.</param>
/// <param name="Frame">The colour of a frame around it.</param>
internal sealed record Cell(Panel Panel, string Caption = "", SKColor? Frame = null);

/// <summary>
/// Cells in rows and columns, with headings. Columns are as wide as their widest cell, caption or heading, so that no label is cut.
/// </summary>
internal sealed class GridPanel : Panel
{
    private const int FrameWidth = 3, LabelGap = 6;

    private readonly IReadOnlyList<IReadOnlyList<Cell?>> _rows;
    private readonly IReadOnlyList<string>? _columnHeads, _rowHeads;
    private readonly int _gap, _frame, _left, _top;
    private readonly int[] _widths, _heights, _captions;

    /// <param name="rows">The cells, row by row; null leaves a place empty, and rows may differ in length.</param>
    /// <param name="columnHeads">What stands above the columns.</param>
    /// <param name="rowHeads">What stands to the left of the rows.</param>
    /// <param name="gap">Pixels between cells.</param>
    public GridPanel(
        IReadOnlyList<IReadOnlyList<Cell?>> rows, IReadOnlyList<string>? columnHeads = null, IReadOnlyList<string>? rowHeads = null, int gap = 8)
    {
        (_rows, _columnHeads, _rowHeads, _gap) = (rows, columnHeads, rowHeads, gap);
        var cells = rows.SelectMany(row => row).OfType<Cell>().ToArray();
        _frame = cells.Any(cell => cell.Frame is not null) ? FrameWidth : 0;
        _left = rowHeads is null ? 0 : rowHeads.Max(TextWidth) + LabelGap;
        _top = columnHeads is null ? 0 : columnHeads.Max(TextHeight) + LabelGap;
        _widths = [.. Enumerable.Range(0, rows.Max(row => row.Count)).Select(ColumnWidth)];
        _heights = [.. rows.Select(row => row.Max(cell => cell is null ? 0 : cell.Panel.Height + 2 * _frame))];
        _captions = [.. rows.Select(row => row.Max(cell => cell is null || cell.Caption.Length == 0 ? 0 : TextHeight(cell.Caption) + 2))];
        Width = _left + _widths.Sum() + (_widths.Length - 1) * gap;
        Height = _top + _heights.Sum() + _captions.Sum() + (rows.Count - 1) * gap;
    }

    public override int Width { get; }

    public override int Height { get; }

    public override void Draw(SKCanvas canvas, int x, int y)
    {
        var right = x + _left;
        for (var column = 0; column < _widths.Length && _columnHeads is not null; column++)
        {
            DrawText(canvas, _columnHeads[column], right + _widths[column] / 2, y, SKTextAlign.Center);
            right += _widths[column] + _gap;
        }

        y += _top;
        for (var row = 0; row < _rows.Count; row++)
        {
            if (_rowHeads is not null)
            {
                DrawText(canvas, _rowHeads[row], x + _left - LabelGap, y + (_heights[row] - TextHeight(_rowHeads[row])) / 2, SKTextAlign.Right);
            }

            DrawRow(canvas, _rows[row], x + _left, y, _heights[row]);
            y += _heights[row] + _captions[row] + _gap;
        }
    }

    private void DrawRow(SKCanvas canvas, IReadOnlyList<Cell?> row, int x, int y, int height)
    {
        for (var column = 0; column < row.Count; column++)
        {
            if (row[column] is { } cell)
            {
                var left = x + (_widths[column] - cell.Panel.Width) / 2;
                if (cell.Frame is { } color)
                {
                    using var paint = new SKPaint { Color = color };
                    canvas.DrawRect(left - _frame, y, cell.Panel.Width + 2 * _frame, cell.Panel.Height + 2 * _frame, paint);
                }

                cell.Panel.Draw(canvas, left, y + _frame);
                DrawText(canvas, cell.Caption, x + _widths[column] / 2, y + height + 2, SKTextAlign.Center);
            }

            x += _widths[column] + _gap;
        }
    }

    private int ColumnWidth(int column) => Math.Max(
        _columnHeads is null ? 0 : TextWidth(_columnHeads[column]),
        _rows.Where(row => column < row.Count).Select(row => row[column]).OfType<Cell>()
            .Select(cell => Math.Max(cell.Panel.Width + 2 * _frame, TextWidth(cell.Caption))).DefaultIfEmpty().Max());

    private static int TextWidth(string text) => text.Split('\n').Max(line => PictureFont.Width(line, PictureFont.Small));

    private static int TextHeight(string text) => text.Split('\n').Length * PictureFont.LineHeight(PictureFont.Small);

    private static void DrawText(SKCanvas canvas, string text, int x, int y, SKTextAlign align)
    {
        foreach (var line in text.Split('\n'))
        {
            PictureFont.Draw(canvas, line, x, y, PictureFont.Small, PictureColors.Ink, align: align);
            y += PictureFont.LineHeight(PictureFont.Small);
        }
    }
}
