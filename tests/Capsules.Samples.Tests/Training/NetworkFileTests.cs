using Capsules.Samples.Tests.Commands;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Training;

public sealed class NetworkFileTests(SavedRun saved) : IClassFixture<SavedRun>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string File => _folder.PathOf("network.safetensors");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void NetworkFile_SavedAndLoaded_GivesTheRunsOutputs(bool withDecoder)
    {
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        NetworkFile.Save(saved.Folder, File, withDecoder);
        var (checkpoint, network) = Checkpoint.Load(File, CPU);
        var (original, expected) = Checkpoint.Load(RunFolder.BestIn(saved.Folder), CPU);
        network.eval();
        expected.eval();
        var images = rand(3, 1, 28, 28);

        network.call(images).data<float>().ToArray().Should().Equal(expected.call(images).data<float>().ToArray());
        network.HasDecoder.Should().Be(withDecoder);
        checkpoint.Options.Should().Be(original.Options);
        checkpoint.Dataset.Should().BeEquivalentTo(original.Dataset);
    }

    [Fact]
    public void NetworkFile_OfASmallNetworkWithoutDecoder_IsBelowOneMegabyteAndSaysWhatItIs()
    {
        using var inspection = TestRun.Inspect(_folder.Path);
        NetworkFile.Save(inspection.Checkpoint, inspection.Network, File, withDecoder: false, new Dictionary<string, string> { ["test error"] = "0.42 %" });

        new FileInfo(File).Length.Should().BeLessThan(1_000_000);
        using var file = SafetensorsFile.Open(File);
        file.Metadata.Should().Contain("network", "Efficient-CapsNet (2021)").And.Contain("dataset", "builtin").And.Contain("epochs", "0").And.Contain("test error", "0.42 %");
    }

    [Theory]
    [InlineData(2, true)]
    [InlineData(1, false)]      // the run went on since, and its second epoch is better
    public void NetworkFile_OfARun_HasTheFiguresOfItsOwnWeightsAlone(int bestOfResult, bool isSaid)
    {
        TestRun.Save(_folder.Path);
        var run = RunFolder.Open(_folder.Path);
        using (var inspection = TestRun.Inspect(_folder.Path))
        using (var optimizer = optim.SGD(inspection.Network.parameters(), 0.1))
        {
            var state = new TrainingState { BestEpoch = 2, History = [new EpochResult(1, 0.5, 0.8, 0.7, 1e-3, 9), new EpochResult(2, 0.4, 0.9, 0.8, 1e-3, 9)] };
            (inspection.Checkpoint with { State = state }).Save(run.Best, inspection.Network, optimizer);
        }

        run.WriteResult(new RunResult(Seed: 3, Epochs: 2, bestOfResult, "validation", TestImages: 200, LastWrong: 9, BestWrong: 7));
        NetworkFile.Save(_folder.Path, File);

        using var file = SafetensorsFile.Open(File);
        file.Metadata.GetValueOrDefault("test error").Should().Be(isSaid ? "3.50 %" : null);
    }

    [Fact]
    public async Task Commands_NetworkFileInPlaceOfARun_DoTheSame()
    {
        NetworkFile.Save(saved.Folder, File);
        foreach (var run in (string[])[saved.Folder, File])
        {
            var (code, output, error) = await TestRun.CommandLine("evaluate", run, "--data", saved.Folder);
            error.Should().BeEmpty();
            code.Should().Be(0);
            output.Should().Contain("20 wrong)").And.Contain("Efficient-CapsNet (2021)");
        }

        var (ended, _, _) = await TestRun.CommandLine("reconstruct", File, "--images", "20", "--count", "3", "--data", saved.Folder);
        ended.Should().Be(0);
        System.IO.File.Exists(_folder.PathOf("reconstructions.png")).Should().BeTrue();
    }

    [Fact]
    public async Task Command_NeedsADecoderThatTheFileLacks_SaysSo()
    {
        NetworkFile.Save(saved.Folder, File, withDecoder: false);
        var (code, _, error) = await TestRun.CommandLine("reconstruct", File, "--data", saved.Folder);
        code.Should().Be(1);
        error.Should().StartWith("The run's network has no decoder");
    }

    [Fact]
    public void Load_OtherFiles_SayWhatIsWrong()
    {
        Load().Should().Throw<UserException>().WithMessage($"There is no file {File}.*");

        using var weights = nn.Linear(2, 3);
        Weights.Save(weights, File);
        Load().Should().Throw<UserException>().WithMessage($"{File} does not say which network its weights are of.*");

        Weights.Save(weights, File, new Dictionary<string, string> { ["checkpoint"] = "{" });
        Load().Should().Throw<UserException>().WithMessage($"{File} has a damaged description: *");

        var checkpoint = Checkpoint.Describe(RunFolder.BestIn(saved.Folder));
        Weights.Save(weights, File, new Dictionary<string, string> { ["checkpoint"] = JsonSerializer.Serialize(checkpoint, RunJson.Options) });
        Load().Should().Throw<UserException>().WithMessage($"{File} does not fit EfficientCapsNet, and nothing was loaded*");

        System.IO.File.WriteAllText(File, "none");
        Load().Should().Throw<UserException>().WithMessage($"{File} is not a whole safetensors file*");
    }

    [Fact]
    public async Task Pretrained_Shipped_ReadsDigits()
    {
        new FileInfo(NetworkFile.PretrainedPath).Length.Should().BeLessThan(1_000_000);
        var mnist = RealMnist.FolderOrSkip();

        var (code, output, error) = await TestRun.CommandLine("evaluate", "pretrained", "--images", "500", "--data", mnist.Folder);

        error.Should().BeEmpty();
        code.Should().Be(0);
        output.Should().MatchRegex(@"\(\d of 500 wrong\)", "fewer than 10 of 500 digits are misread");
    }

    [Fact]
    public void Pretrained_IsAName_UnlessThereIsSuchARun()
    {
        RunFolder.BestIn("pretrained").Should().Be(NetworkFile.PretrainedPath);
        RunFolder.BestIn("other.safetensors").Should().Be("other.safetensors");
    }

    private Action Load() => () => NetworkFile.Load(File, CPU);
}
