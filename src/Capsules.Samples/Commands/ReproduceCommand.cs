using System.CommandLine;
using Spectre.Console;

namespace Capsules.Samples;

/// <summary><c>reproduce</c>: the rows of docs/results.md, each trained with several seeds in a folder of its own, and resumed from there.</summary>
internal static class ReproduceCommand
{
    private const int Seeds = 3;

    public static Command Create()
    {
        var names = new Argument<string[]>("row")
        {
            Description = "Which rows, in this order; without any, they are listed.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var epochs = CommonOptions.Valid(
            new Option<int?>("--epochs") { Description = "Passes over the training images, where not as many as the row has." }, count => count >= 1, "at least 1");
        var seeds = CommonOptions.Valid(
            new Option<int?>("--seeds") { Description = $"Runs of each row: with seed 1, 2, and so on. [default: {Seeds}, and of a row that was begun as many as it has]" },
            count => count >= 1, "at least 1");
        var output = new Option<string>("--output") { Description = "The folder with a folder for each row.", DefaultValueFactory = _ => Path.Combine("runs", "reproduce") };
        var publish = new Option<string?>("--publish") { Description = "A folder that gets the small files of finished rows: options, metrics and results, without weights." };
        var machine = new MachineOptions();
        var command = new Command("reproduce", "Train the rows of the project's table of results; the same command goes on after a stop.") { names };
        foreach (var option in (Option[])[epochs, seeds, output, publish, .. machine.Options])
        {
            command.Options.Add(option);
        }

        command.SetBackgroundAction(async (result, cancellation) =>
        {
            var rows = result.GetValue(names)!.Select(ResultRows.Get).ToList();
            var (console, folder, published) = (AnsiConsole.Console, result.GetValue(output)!, result.GetValue(publish));
            if (rows.Count == 0)
            {
                List(console, folder);
                return 0;
            }

            if (published is not null)
            {
                PublishedRow.MakeFolder(published);      // what cannot be written says so now and not after the training
            }

            foreach (var row in rows)
            {
                console.Say($"{row.Name}: {row.Description}");
                var code = await TrainAsync(console, row, folder, result.GetValue(epochs), result.GetValue(seeds), machine.Read(result), cancellation);
                if (code != 0)
                {
                    return code;
                }

                if (published is not null)
                {
                    PublishedRow.Write(row.FolderIn(folder), Path.Combine(published, row.Name));
                    console.Say($"options, metrics and results: {Path.Combine(published, row.Name)}");
                }
            }

            return 0;
        });
        return command;
    }

    private static Task<int> TrainAsync(
        IAnsiConsole console, ResultRow row, string output, int? epochs, int? seeds, MachineSettings machine, CancellationToken cancellation)
    {
        var folder = row.FolderIn(output);
        if (SeedPlan.IsIn(folder))
        {
            var begun = SeedPlan.Read(folder).Options;
            if (epochs is { } other && other != begun.Epochs && begun.Schedule == Schedule.Cosine)
            {
                // Finished runs would begin a second fall, beside new ones with a single one, and be one mean with them.
                throw new UserException(
                    $"The runs in {folder} are of {begun.Epochs} epochs, with which their learning rate falls to its end, and cannot have {other}. " +
                    "Leave --epochs out, or give another --output.");
            }

            return SeedRuns.ResumeAsync(console, folder, new RunEnd(epochs), machine, cancellation, seeds);
        }

        var (options, precision) = TrainCommand.Read(row.Train);
        return SeedRuns.StartAsync(
            console, epochs is { } given ? options with { Epochs = given } : options, seeds ?? Seeds, _ => RunFolder.At(folder), machine, precision, cancellation);
    }

    private static void List(IAnsiConsole console, string output)
    {
        var table = new Table().Border(TableBorder.Rounded);
        table.AddColumns("row", "what it shows", "train", "seeds done");
        foreach (var row in ResultRows.All)
        {
            table.AddRow([.. ((string[])[row.Name, row.Description, row.Train, $"{Done(row.FolderIn(output))}"]).Select(Markup.Escape)]);
        }

        console.Write(table);
    }

    private static int Done(string folder) =>
        SeedPlan.IsIn(folder) ? SeedPlan.Read(folder).Runs(folder).Count(run => Directory.Exists(run.Folder) && RunFolder.At(run.Folder).ReadResult() is not null) : 0;
}
