using System.CommandLine;
using Capsules.Samples;

namespace Capsules.Benchmarks;

/// <summary><c>train-algorithms</c>: does every routing algorithm learn MNIST? One small network each.</summary>
internal static class TrainAlgorithmsCommand
{
    public const string Name = "train-algorithms";

    public static RootCommand Create()
    {
        var algorithms = new Option<string[]>("--algorithm") { Description = "Train with this algorithm only. May be repeated.", HelpName = "NAME", AllowMultipleArgumentsPerToken = true };
        algorithms.AcceptOnlyFromAmong([.. AlgorithmRecipe.All.Select(recipe => recipe.Name)]);
        var steps = CompareNetworkCommand.Count("--steps", "Steps of each network.", 1000);
        var batch = CompareNetworkCommand.Count("--batch", "Images in a step.", 64);
        var rate = CommonOptions.Valid(
            new Option<double?>("--learning-rate") { Description = "Adam's learning rate in the first step. Default: by the algorithm.", HelpName = "R" },
            value => value > 0 && double.IsFinite(value.Value), "above 0");
        var seed = new Option<int>("--seed") { Description = "The seed of weights and order.", HelpName = "S", DefaultValueFactory = _ => 1 };
        var data = new Option<string?>("--data") { Description = "The folder that holds MNIST. Default: as the sample finds it.", HelpName = "FOLDER" };
        var heldOut = new Option<bool>("--held-out-only") { Description = "Do not look at the test images: for choosing a recipe." };
        var markdown = new Option<FileInfo?>("--markdown") { Description = "Write the printed report to this file too.", HelpName = "FILE" };
        var root = new RootCommand("Trains a small network with every routing algorithm on MNIST. Exit code 1 if one falls short of 97 %.")
        {
            algorithms, steps, batch, rate, seed, data, heldOut, markdown,
        };
        root.SetAction(async (result, cancellation) =>
        {
            try
            {
                using var dataset = await DatasetCatalog.OpenAsync(Mnist.Name, result.GetValue(data), Console.Error.WriteLine, cancellation: cancellation);
                var names = result.GetValue(algorithms) ?? [];
                var training = new AlgorithmTraining(result.GetValue(steps), result.GetValue(batch), result.GetValue(rate), result.GetValue(seed));
                var results = AlgorithmRecipe.All.Where(recipe => names.Length == 0 || names.Contains(recipe.Name))
                    .Select(recipe => Train(training, recipe, dataset, withTest: !result.GetValue(heldOut))).ToList();
                var report = Report(training, results);
                Console.Write(report);
                if (result.GetValue(markdown) is { } file)
                {
                    await File.WriteAllTextAsync(file.FullName, report, cancellation);
                }

                return results.All(r => r.Passes) ? 0 : 1;
            }
            catch (Exception failure) when (failure is UserException or InvalidOperationException or IOException)
            {
                Console.Error.WriteLine(failure.Message);
                return 1;
            }
        });
        return root;
    }

    private static AlgorithmResult Train(AlgorithmTraining training, AlgorithmRecipe recipe, ImageDataset dataset, bool withTest)
    {
        Console.Error.Write($"{recipe.Name} ");
        var result = training.Run(recipe, dataset, withTest);
        Console.Error.WriteLine($"{result.Seconds:f0} s, held out {Percent(result.HeldOut)}");
        return result;
    }

    private static string Report(AlgorithmTraining training, IReadOnlyList<AlgorithmResult> results)
    {
        var table = new MarkdownTable("algorithm", "parameters", "steps", "seconds", "held-out accuracy", "test accuracy", "passes 97 %", "loss", "learning rate");
        foreach (var r in results)
        {
            table.Add(r.Recipe.Name, $"{r.Parameters:n0}", $"{training.Steps}", $"{r.Seconds:f0}", Percent(r.HeldOut),
                r.Test is { } test ? Percent(test) : "-", r.Passes ? "yes" : "NO", r.Recipe.LossName, $"{training.LearningRate ?? r.Recipe.LearningRate}");
        }

        return $"{Machine.ThisOne()}.\n"
            + $"MNIST, batches of {training.BatchSize}, Adam with a learning rate that falls to 0, seed {training.Seed}.\n\n" + table;
    }

    private static string Percent(double accuracy) => $"{100 * accuracy:f2} %";
}
