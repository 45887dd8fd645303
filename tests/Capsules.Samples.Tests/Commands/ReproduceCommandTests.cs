namespace Capsules.Samples.Tests.Commands;

public sealed class ReproduceCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Runs => _folder.PathOf("runs");

    private string Published => _folder.PathOf("results");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Reproduce_StartedAndAskedForMore_TrainsWhatIsMissingAndPublishesWithoutPaths()
    {
        SmallDigits.WriteMnist(_folder);
        (await Reproduce("efficient-short", "--epochs", "1", "--seeds", "1")).Code.Should().Be(0);
        var first = File.GetLastWriteTimeUtc(Path.Combine(Runs, "efficient-short", "seed-1", "last.ckpt"));

        var (code, _, error) = await Reproduce("efficient-short", "--epochs", "1", "--seeds", "2", "--publish", Published);
        (code, error).Should().Be((0, ""));
        File.GetLastWriteTimeUtc(Path.Combine(Runs, "efficient-short", "seed-1", "last.ckpt")).Should().Be(first, "that run had ended");
        foreach (var seed in (int[])[1, 2])
        {
            var place = Path.Combine(Published, "efficient-short", $"seed-{seed}");
            File.ReadAllLines(Path.Combine(place, "metrics.csv")).Should().HaveCount(2);
            File.ReadAllText(Path.Combine(place, "result.json")).Should().Contain($"\"Seed\": {seed},");
            File.ReadAllText(Path.Combine(place, "config.json")).Should().Contain("\"Model\": \"efficient\"").And.NotContain(_folder.Path);
        }

        File.ReadAllText(Path.Combine(Published, "efficient-short", "summary.md")).Should().Contain("| mean (deviation) of 2 |");

        (await Reproduce("efficient-short", "--epochs", "1")).Code.Should().Be(0);
        SeedPlan.Read(Path.Combine(Runs, "efficient-short")).Seeds.Should().Be(2, "no other number was asked for");
        (await Reproduce("efficient-short", "--epochs", "2")).Should().Match<(int Code, string Output, string Error)>(
            run => run.Code == 1 && run.Error.Contains("are of 1 epochs, with which their learning rate falls to its end, and cannot have 2."));

        var (_, list, _) = await TestRun.CommandLine("reproduce", "--output", Runs);
        list.Split('\n').Single(line => line.Contains("efficient-short")).TrimEnd().TrimEnd('\u2502', '|').TrimEnd().Should().EndWith("2");
    }

    [Fact]
    public async Task Reproduce_NowhereToPublish_SaysSoBeforeItTrains()
    {
        SmallDigits.WriteMnist(_folder);
        File.WriteAllText(Published, "no folder");
        var (code, _, error) = await Reproduce("efficient-short", "--epochs", "1", "--publish", Published);
        code.Should().Be(1);
        error.Should().StartWith($"The results cannot be written to {Published}: ").And.Contain("Give another folder with --publish.");
        Directory.Exists(Runs).Should().BeFalse();
    }

    [Fact]
    public void ResultRows_All_AreOptionsOfTrain()
    {
        ResultRows.All.Select(row => row.Name).Should().OnlyHaveUniqueItems();
        foreach (var row in ResultRows.All)
        {
            TrainCommand.Read(row.Train).Options.Dataset.Should().NotBe(DatasetCatalog.Auto, "{0} names its images", row.Name);
        }
    }

    private Task<(int Code, string Output, string Error)> Reproduce(params string[] arguments) =>
        TestRun.CommandLine(["reproduce", .. arguments, "--data", _folder.PathOf("data"), "--output", Runs, "--threads", "1"]);
}
