using System.Text;

namespace Capsules.Benchmarks;

/// <summary>A Markdown table with aligned columns, so that it reads well in a terminal too.</summary>
internal sealed class MarkdownTable(params string[] columns)
{
    private readonly List<string[]> _rows = [columns];

    public void Add(params string[] cells) => _rows.Add(cells);

    public override string ToString()
    {
        var widths = columns.Select((_, i) => _rows.Max(row => row[i].Length)).ToArray();
        var text = new StringBuilder();
        Append(text, _rows[0], widths);
        Append(text, [.. widths.Select((width, i) => IsNumber(i) ? new string('-', width - 1) + ":" : new string('-', width))], widths);
        foreach (var row in _rows.Skip(1))
        {
            Append(text, row, widths);
        }

        return text.ToString();
    }

    // A column of numbers is told by its first entry.
    private bool IsNumber(int column) => _rows.Count > 1 && column > 0 && _rows[1][column] is { Length: > 0 } cell && (char.IsDigit(cell[0]) || cell[0] == '-');

    private void Append(StringBuilder text, string[] cells, int[] widths)
    {
        for (var i = 0; i < cells.Length; i++)
        {
            text.Append("| ").Append(IsNumber(i) ? cells[i].PadLeft(widths[i]) : cells[i].PadRight(widths[i])).Append(' ');
        }

        text.AppendLine("|");
    }
}
