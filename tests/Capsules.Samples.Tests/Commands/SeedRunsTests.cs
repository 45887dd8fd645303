using System.Globalization;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Commands;

public sealed class SeedRunsTests : IDisposable
{
    private static readonly TrainingOptions Options = NetworkCatalog.Get("efficient").Recipe with
    {
        Dataset = "mnist", Epochs = 1, BatchSize = 8, ImagesPerEpoch = 16, Seed = 7, ReconstructionWeight = 0,
    };

    private readonly TemporaryFolder _folder = new();
    private readonly TestOutput _output = new();

    private string Output => _folder.PathOf("runs");

    private string Parent => Directory.GetDirectories(Output).Single();

    private MachineSettings Machine => new("cpu", Data: _folder.PathOf("data"));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task SeedRuns_StoppedResumedAndTakenTogether_AreTheRunsOfTheirSeeds()
    {
        var stop = TestContext.Current.CancellationToken;
        SmallDigits.WriteMnist(_folder);
        (await SeedRuns.StartAsync(
            _output.Console, Options, 2, dataset => RunFolder.Create(Output, $"{dataset.Name}-2-seeds"), Machine, PrecisionChoice.Float32, stop)).Should().Be(0);
        Path.GetFileName(Parent).Should().EndWith("-mnist-2-seeds");
        var results = Results();
        results.Select(result => result.Seed).Should().Equal(7, 8);
        var losses = SeedPlan.Read(Parent).Runs(Parent).Select(run => RunFolder.At(run.Folder).Describe().State.History[0].Loss).ToArray();
        losses[0].Should().NotBe(losses[1], "seeds differ");

        // As if it had been killed in the second run: that is done again, alike, and the first stays as it is.
        var first = File.GetLastWriteTimeUtc(Path.Combine(Parent, "seed-7", "last.ckpt"));
        foreach (var name in (string[])["result.json", "last.ckpt", "best.ckpt"])
        {
            File.Delete(Path.Combine(Parent, "seed-8", name));
        }

        (await SeedRuns.ResumeAsync(_output.Console, Parent, new RunEnd(), Machine, stop)).Should().Be(0);
        Results().Should().Equal(results);
        File.GetLastWriteTimeUtc(Path.Combine(Parent, "seed-7", "last.ckpt")).Should().Be(first);

        var summary = RunFolder.Read<SeedSummary>(Path.Combine(Parent, "summary.json"))!;
        var errors = results.Select(result => result.LastWrong / 30.0).ToArray();
        summary.LastMean.Should().BeApproximately(errors.Average(), 1e-12);
        summary.LastDeviation.Should().BeApproximately(Math.Abs(errors[0] - errors[1]) / Math.Sqrt(2), 1e-12);
        File.ReadAllText(Path.Combine(Parent, "summary.md")).Should().Contain("| seed 7 |").And.Contain("| mean (deviation) of 2 |")
            .And.NotContain("Mazzia", "published figures are for the original MNIST");

        var output = new TestOutput();
        (await EnsembleEvaluation.RunAsync(output.Console, [Parent], null, null, Machine, stop)).Should().Be(0);
        output.Text.Should().Contain($"({results[0].BestWrong} of 30 wrong)").And.Contain($"({results[1].BestWrong} of 30 wrong)").And.Contain("ensemble of 2");
        output.Text.Should().Contain($"({ByHand(results.Select(result => result.Seed))} of 30 wrong)");
    }

    [Theory]
    [InlineData("Dataset", "null")]
    [InlineData("BatchSize", "0")]
    public void SeedPlan_WithAValueThatNoRunHas_IsDamaged(string option, string value)
    {
        var file = _folder.PathOf("seeds.json");
        new SeedPlan(Options, 2).Write(_folder.Path);
        var plan = JsonNode.Parse(File.ReadAllText(file))!;
        plan["Options"]![option] = JsonNode.Parse(value);
        File.WriteAllText(file, plan.ToJsonString());

        ((Action)(() => SeedPlan.Read(_folder.Path))).Should().Throw<UserException>()
            .WithMessage($"{file} is damaged: its option {option} has a value that no run can have. Start new runs.");
    }

    [Fact]
    public async Task SeedRuns_SeedsBeyondTheLargest_AreRefusedAndMakeNoFolder()
    {
        SmallDigits.WriteMnist(_folder);
        var (code, _, error) = await TestRun.CommandLine(
            "train", "--model", "efficient", "--dataset", "mnist", "--data", _folder.PathOf("data"), "--seed", "2147483647", "--seeds", "2", "--output", Output);
        (code, error.Trim()).Should().Be((1, "There are no 2 seeds from 2147483647 on: the largest is 2147483647. Give a smaller --seed or --seeds."));
        Directory.Exists(Output).Should().BeFalse();
    }

    [Fact]
    public async Task SeedRuns_ResumedWithoutTheImages_MakesNoFolder()
    {
        var runs = Directory.CreateDirectory(Output).FullName;
        new SeedPlan(Options, 2).Write(runs);
        Directory.CreateDirectory(_folder.PathOf("data"));

        var act = () => SeedRuns.ResumeAsync(_output.Console, runs, new RunEnd(), Machine, TestContext.Current.CancellationToken);

        await act.Should().ThrowAsync<UserException>();
        Directory.GetDirectories(runs).Should().BeEmpty();
    }

    [Fact]
    public async Task EnsembleEvaluation_ScoresOfTwoKinds_AreRefused()
    {
        using var dataset = SmallDigits.Create(12, 10);
        var paths = new List<string>();
        foreach (var model in (string[])["efficient", "cnn"])
        {
            var options = NetworkCatalog.Get(model).Recipe with { Epochs = 1, BatchSize = 6, Validation = 0, ReconstructionWeight = 0 };
            using var thinned = SmallDigits.Create(12, 10, size: model == "cnn" ? 7 : 13);
            var folder = RunFolder.Create(_folder.Path, model);
            using var trainer = Trainer.Start(options, thinned, CPU, folder, new TrainingDisplay(_output.Console));
            trainer.Run(TestContext.Current.CancellationToken);
            paths.Add(folder.FullPath);
        }

        var act = () => EnsembleEvaluation.RunAsync(_output.Console, paths, null, null, new MachineSettings("cpu"), TestContext.Current.CancellationToken);
        (await act.Should().ThrowAsync<UserException>()).WithMessage("*is trained by cross-entropy and *by margin loss: their scores do not add up. Give runs of one kind.");
    }

    [Fact]
    public void MeanAndDeviation_KnownValues_IsThatOfASample()
    {
        SeedReport.MeanAndDeviation([2, 4, 4, 4, 5, 5, 7, 9]).Mean.Should().Be(5);
        SeedReport.MeanAndDeviation([2, 4, 4, 4, 5, 5, 7, 9]).Deviation.Should().BeApproximately(Math.Sqrt(32 / 7.0), 1e-12);
        SeedReport.MeanAndDeviation([3]).Deviation.Should().BeNull();
    }

    [Fact]
    public void PublishedResults_OfMnist_StartWithThePapersTable()
    {
        using var mnist = OriginalMnist();
        double Papers(int iterations, double reconstruction) => PublishedResults.For(
            new TrainingOptions { RoutingIterations = iterations, ReconstructionWeight = reconstruction }, mnist)[0].Error;
        (Papers(3, 0.0005), Papers(3, 0), Papers(1, 0.0005), Papers(1, 0)).Should().Be((0.25, 0.35, 0.29, 0.34));
        PublishedResults.For(new TrainingOptions { RoutingIterations = 2 }, mnist).Should().BeEmpty("nobody reports it");
    }

    [Theory]
    [InlineData("capsnet", 3, "0.25 %", "99.75 %", "8.2M")]
    [InlineData("capsnet", 1, "0.29 %", "99.71 %", "8.2M")]
    [InlineData("capsnet", 2, "", "", "8.2M")]
    [InlineData("efficient", 3, "0.16 % (ensemble)", "99.84 % (ensemble)", "161K and decoder")]
    [InlineData("matrix", 2, "0.44 %", "99.56 %", "")]
    [InlineData("inverted", 2, "", "", "")]
    [InlineData("cnn", 3, "0.39 %", "99.61 %", "")]
    public void PublishedOn_OriginalMnist_IsWhatTheNetworksAuthorsReport(string model, int iterations, string error, string accuracy, string withDecoder)
    {
        using var mnist = OriginalMnist();
        var figures = NetworkCatalog.Get(model).PublishedOn(new TrainingOptions { Model = model, RoutingIterations = iterations }, mnist)!;
        (figures.Error, figures.Accuracy, figures.ParametersWithDecoder).Should().Be((error, accuracy, withDecoder));
    }

    [Fact]
    public void PublishedResults_BestEpochs_AreSaidToBeSo()
    {
        using var mnist = OriginalMnist();
        var results = PublishedResults.For(new TrainingOptions(), mnist);
        results.Should().OnlyContain(result => result.IsBest == result.Remark.Contains("best"));
    }

    [Fact]
    public void RunFolder_HeldTwice_IsRefusedAndClearsUnfinishedFilesOnce()
    {
        var folder = RunFolder.Create(_folder.Path, "held");
        File.WriteAllText(Path.Combine(folder.FullPath, "last.ckpt.abc.tmp"), "half");
        using (folder.Hold())
        {
            File.Exists(Path.Combine(folder.FullPath, "last.ckpt.abc.tmp")).Should().BeFalse();
            ((Action)(() => RunFolder.At(folder.FullPath).Hold())).Should().Throw<UserException>().WithMessage($"{folder.FullPath} is in use by another process (*");
        }

        folder.Hold().Dispose();
        Directory.GetFiles(folder.FullPath).Select(Path.GetFileName).Should().BeEquivalentTo("log.txt");
    }

    private static ImageDataset OriginalMnist() => new(
        "mnist", "a test", [.. Enumerable.Range(0, 10).Select(i => i.ToString(CultureInfo.InvariantCulture))],
        ImageSplit.FromArrays(new byte[784], [0], 1, 28, 28), ImageSplit.FromArrays(new byte[784], [0], 1, 28, 28), isOriginal: true);

    private RunResult[] Results() => [.. SeedPlan.Read(Parent).Runs(Parent).Select(run => RunFolder.At(run.Folder).ReadResult()!)];

    // The lengths of both networks' capsules, added up one image after the other.
    private long ByHand(IEnumerable<int> seeds)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var dataset = BuiltInDigits.Create(60, 30);
        var (images, labels) = Batches.Take(dataset.Test, Batches.InOrder(dataset.Test.Count), CPU);
        var sum = zeros(dataset.Test.Count, 10);
        foreach (var seed in seeds)
        {
            var (_, network) = Checkpoint.Load(Path.Combine(Parent, $"seed-{seed}", "best.ckpt"), CPU);
            network.eval();
            sum += network.Scores(network.call(images));
            network.Dispose();
        }

        return sum.argmax(1).ne(labels).sum().item<long>();
    }
}
