using System.Globalization;
using Spectre.Console;

namespace Capsules.Samples;

/// <summary>The closing table of a run: what it reached, beside what the paper reports.</summary>
internal static class RunReport
{
    /// <summary>Shows the table and logs it as lines.</summary>
    public static void Show(IAnsiConsole console, Action<string> log, IReadOnlyList<(string Name, string Value, string Paper)> rows)
    {
        var besidePaper = rows.Any(row => row.Paper.Length > 0);
        var table = new Table().Border(TableBorder.Rounded).AddColumns(besidePaper ? ["", "this run", "paper"] : ["", "this run"]);
        foreach (var (name, value, paper) in rows)
        {
            string[] cells = besidePaper ? [name, value, paper] : [name, value];
            table.AddRow([.. cells.Select(Markup.Escape)]);
            log($"{name}: {value}{(paper.Length > 0 ? $" (paper: {paper})" : "")}");
        }

        console.Write(table);
    }

    /// <summary>The rows that describe an evaluation on the test images.</summary>
    /// <param name="test">The evaluation.</param>
    /// <param name="paper">What the network's authors report, where it is the original MNIST; else null.</param>
    /// <param name="of">Of which network, in words that follow "test error". Default: none.</param>
    public static IEnumerable<(string, string, string)> Rows(Evaluation test, PublishedFigures? paper, string of = "")
    {
        if (test.Objects > 1)
        {
            yield return ($"test error (not all objects right){of}", $"{test.Error:p2} ({test.Wrong} of {test.Images} wrong)", "");
            yield return ($"all objects right{of}", $"{test.Accuracy:p2}", "");
            yield return ($"at least one right (almost){of}", $"{1 - (double)test.NoneRight / test.Images:p2}", "");
            yield break;
        }

        yield return ($"test error{of}", $"{test.Error:p2} ({test.Wrong} of {test.Images} wrong)", paper?.Error ?? "");
        yield return ($"test accuracy{of}", $"{test.Accuracy:p2}", paper?.Accuracy ?? "");
    }

    /// <summary>A count with thousands separated.</summary>
    public static string Count(long count) => count.ToString("n0", CultureInfo.InvariantCulture);
}
