using System.CommandLine;
using Capsules.Samples;

namespace Capsules.Benchmarks;

/// <summary><c>long-run</c>: a training that is stopped again and again for hours, against one of the same options that is not.</summary>
internal static class LongRunCommand
{
    public const string Name = "long-run";

    /// <summary>How far the uninterrupted run's resident memory may rise from its first quarter to its last.</summary>
    private const double MostGrowth = 32e6;

    public static RootCommand Create()
    {
        var hours = Positive("--hours", "Hours for both runs together; the uninterrupted one may end sooner.", 1);
        var between = Positive("--between", "Seconds from start to stop, in the mean.", 60);
        var images = CompareNetworkCommand.Count("--images", "Training images in an epoch.", 3000);
        var model = new Option<string>("--model") { Description = "The sample's network.", DefaultValueFactory = _ => "efficient" };
        var seed = new Option<int>("--seed") { Description = "Of the moments at which it is stopped.", HelpName = "S", DefaultValueFactory = _ => 1 };
        var data = new Option<string?>("--data") { Description = "The folder that holds MNIST. Default: as the sample finds it.", HelpName = "FOLDER" };
        var output = new Option<string?>("--output") { Description = "Where the runs are kept. Default: a temporary folder, deleted if all is well.", HelpName = "FOLDER" };
        var root = new RootCommand("Trains for hours, stopped at random moments, and again without a stop: every number must be the same, and memory flat.")
        {
            hours, between, images, model, seed, data, output,
        };
        root.SetAction(async (result, cancellation) =>
        {
            var place = result.GetValue(output) is { } given ? Directory.CreateDirectory(given) : Directory.CreateTempSubdirectory("capsules-long-run-");
            string[] training =
            [
                "train", "--dataset", "mnist", "--model", result.GetValue(model)!, "--images", $"{result.GetValue(images)}", "--batch-size", "16", "--validation", "500",
                "--schedule", "constant", "--seed", "1",
            ];
            string[] machine = ["--threads", "1", "--device", "cpu", "--save-every", "0.1", .. result.GetValue(data) is { } folder ? (string[])["--data", folder] : []];
            try
            {
                var run = new LongRun(training, machine, place.FullName, Console.Error.WriteLine);
                var stopped = await run.StoppedAsync(
                    TimeSpan.FromHours(result.GetValue(hours)) / 2, TimeSpan.FromSeconds(result.GetValue(between)), new Random(result.GetValue(seed)), cancellation);
                var whole = await run.UninterruptedAsync(stopped.Epochs, cancellation);
                var isWell = Report(stopped, whole);
                if (isWell && result.GetValue(output) is null)
                {
                    place.Delete(recursive: true);
                }
                else
                {
                    Console.WriteLine($"Both runs are in {place.FullName}.");
                }

                return isWell ? 0 : 1;
            }
            catch (Exception failure) when (failure is UserException or InvalidOperationException or IOException)
            {
                Console.Error.WriteLine($"{failure.Message} The runs are in {place.FullName}.");
                return 1;
            }
        });
        return root;
    }

    private static bool Report(StoppedRun stopped, WholeRun whole)
    {
        var (ours, theirs) = (RunFigures.Of(stopped.Folder), RunFigures.Of(whole.Folder));
        var different = ours.Zip(theirs).Where(pair => pair.First != pair.Second).Select(pair => pair.Second.Name).ToList();
        if (ours.Count != theirs.Count)
        {
            different.Add("the number of figures");
        }

        var memory = new MemoryTrace(whole.Resident);
        var isFlat = memory.Growth <= MostGrowth;
        Console.WriteLine($"{stopped.Epochs} epochs, {RunFigures.Losses(whole.Folder).Count} steps. Stopped {stopped.Terminated + stopped.Killed} times (SIGTERM {stopped.Terminated}, SIGKILL {stopped.Killed}; {stopped.BeforeCheckpoint} before the first checkpoint): {stopped.Time.TotalMinutes:f0} minutes. Uninterrupted: {whole.Time.TotalMinutes:f0} minutes.");
        Console.WriteLine($"Numbers of both runs (metrics, the loss of every step, weights, optimizer, result; {theirs.Count} figures): {(different.Count == 0 ? "the same to the last bit" : $"DIFFERENT: {string.Join(", ", different.Take(10))}")}");
        Console.WriteLine($"Resident memory of the uninterrupted run, MB, at every tenth of its time: {string.Join(" ", memory.Tenths.Select(bytes => $"{bytes / 1e6:f0}"))}");
        Console.WriteLine($"From its first quarter to its last it rose by {memory.Growth / 1e6:f1} MB, in the medians ({(isFlat ? "flat" : "NOT flat")}). Most of the stopped run's {stopped.Terminated + stopped.Killed + 1} processes: {stopped.MostResident / 1e6:f0} MB.");
        return different.Count == 0 && isFlat;
    }

    private static Option<double> Positive(string name, string description, double byDefault) => CommonOptions.Valid(
        new Option<double>(name) { Description = description, DefaultValueFactory = _ => byDefault }, value => value is > 0 and <= 1000, "above 0 and at most 1000");
}
