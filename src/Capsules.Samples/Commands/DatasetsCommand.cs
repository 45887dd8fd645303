using System.CommandLine;
using Spectre.Console;

namespace Capsules.Samples;

/// <summary><c>datasets</c>: what can be trained on, whose it is, and what of it is on this machine; or a look at one of them.</summary>
internal static class DatasetsCommand
{
    public static Command Create()
    {
        var name = new Argument<string?>("dataset")
        {
            Description = "The dataset to open and describe. [default: list all]",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var sheet = new Option<string?>("--sheet")
        {
            Description = "With a dataset: write a picture of its first images to this PNG file.",
        };
        var (data, imageSize, grey, crop) = (CommonOptions.Data(), CommonOptions.ImageSize(), CommonOptions.Grey(), CommonOptions.Crop());
        var command = new Command("datasets", "List the datasets: what they are, whose, and whether they are on this machine; or look at one.")
        {
            name, sheet, data, imageSize, grey, crop,
        };
        command.SetBackgroundAction(async (result, cancellation) =>
        {
            if (result.GetValue(name) is { } chosen)
            {
                var options = new DatasetOptions(result.GetValue(imageSize), result.GetValue(grey), result.GetValue(crop));
                await ShowAsync(AnsiConsole.Console, chosen, result.GetValue(data), options, result.GetValue(sheet), cancellation);
            }
            else if (((Option[])[sheet, imageSize, grey, crop]).FirstOrDefault(result.IsGiven) is { } useless)
            {
                throw new UserException($"{useless.Name} needs a dataset to look at: datasets mnist {useless.Name} ...");
            }
            else
            {
                List(AnsiConsole.Console, DataFolders.OfThisMachine(result.GetValue(data)));
            }

            return 0;
        });
        return command;
    }

    private static void List(IAnsiConsole console, DataFolders folders)
    {
        foreach (var kind in DatasetCatalog.All)
        {
            console.Say($"{kind.Name}: {kind.Description}");
            console.Say($"    from: {kind.Origin}");
            foreach (var set in kind.Needs)
            {
                console.Say($"    needs: {string.Join(", ", set.Published.Select(file => file.Name))} ({set.Size}): {Where(set, folders)}");
            }
        }

        console.Say();
        console.Say(
            $"Asked in turn: --data; {DataFolders.Variable} ({folders.FromEnvironment ?? "not set"}); the cache " +
            $"({folders.Cache ?? "none"}). What none holds is downloaded to the cache.");
    }

    private static string Where(FileSet set, DataFolders folders)
    {
        string?[] places = folders.Given is { } given ? [given] : [folders.FromEnvironment, folders.Cache];
        return places.OfType<string>().Select(place => DatasetFolder.Search(set, place)).FirstOrDefault(found => found.IsComplete) is { } found
            ? $"in {found.Folder}"
            : "not on this machine";
    }

    private static async Task ShowAsync(
        IAnsiConsole console, string name, string? data, DatasetOptions options, string? sheet, CancellationToken cancellation)
    {
        Session.Open("cpu", threads: 0);
        using var dataset = await TrainingRun.OpenAsync(console, name, data, options, cancellation);
        console.Say(
            $"{dataset.Name} ({dataset.Source}): images of {dataset.Shape}, {dataset.Classes} classes: " +
            $"{string.Join(", ", dataset.ClassNames)}");
        foreach (var (title, split) in ((string, ImageSplit)[])[("to train on", dataset.Train), ("to test on", dataset.Test)])
        {
            var made = split.Variations > 1 ? $", of which {RunReport.Count(split.Count * split.Variations)} images can be made: " +
            $"{split.Recipe}" : "";
            console.Say($"{title}: {RunReport.Count(split.Count)} stored images{made}");
        }

        if (sheet is not null)
        {
            foreach (var row in DatasetSheet.Write(sheet, dataset).Chunk(DatasetSheet.Columns))
            {
                console.Say(string.Join("  ", row.Select(objects => string.Join("+", objects.Select(label => dataset.ClassNames[(int)label])))));
            }

            console.Say($"the first images to train on and below them the first to test on, row by row as above: {sheet}");
        }
    }
}
