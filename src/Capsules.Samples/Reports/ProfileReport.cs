using Spectre.Console;

namespace Capsules.Samples;

/// <summary>The table of <c>--profile</c>: mean milliseconds of a step, by stage.</summary>
internal static class ProfileReport
{
    public static void Show(IAnsiConsole console, Action<string> log, StageClock clock)
    {
        if (clock.Steps == 0)
        {
            console.Say($"profile: none, for the run had no more than {StageClock.Uncounted} steps, and the first {StageClock.Uncounted} are not counted.");
            return;
        }

        var table = new Table().Border(TableBorder.Rounded).Title($"where a step goes: means of {clock.Steps} steps").AddColumn("stage");
        foreach (var title in (string[])["forward ms", "backward ms", "ms", "share"])
        {
            table.AddColumn(new TableColumn(title).RightAligned());
        }

        var unaccounted = clock.Whole;
        foreach (var (stage, forward, backward) in clock.Stages)
        {
            unaccounted -= forward + backward;
            Add(stage, $"{1e3 * forward:f1}", backward > 0 ? $"{1e3 * backward:f1}" : "", forward + backward);
        }

        Add("unaccounted", "", "", unaccounted);
        Add("step", "", "", clock.Whole);
        console.Write(table);

        void Add(string stage, string forward, string backward, double seconds)
        {
            string[] cells = [stage, forward, backward, $"{1e3 * seconds:f1}", $"{seconds / clock.Whole:p1}"];
            table.AddRow(cells);
            log($"profile: {stage}: {cells[3]} ms, {cells[4]}{(backward.Length > 0 ? $" (forward {forward}, backward {backward})" : "")}");
        }
    }
}
