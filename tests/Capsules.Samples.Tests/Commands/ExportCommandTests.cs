namespace Capsules.Samples.Tests.Commands;

public sealed class ExportCommandTests(SavedRun saved) : IClassFixture<SavedRun>
{
    [Fact]
    public async Task Export_OfARun_WritesItsNetworkAndSaysWhatIsInIt()
    {
        using var folder = new TemporaryFolder();
        var file = folder.PathOf("digits.onnx");
        var (code, output, error) = await TestRun.CommandLine("export", saved.Folder, "--output", file);
        error.Should().BeEmpty();
        code.Should().Be(0);
        Flat(output).Should().Contain("digits.onnx: ")
            .And.Contain("ONNX opset 17, float32: images (B, 1, 28, 28) in [0, 1] -> capsules (B, 10, 16), lengths (B, 10), reconstruction (B, 1, 28, 28).");
        Directory.GetFiles(folder.Path).Should().Equal(file);
        var whole = new FileInfo(file).Length;
        whole.Should().BeGreaterThan(161_824 * 4, "so many weights has the network without its decoder");
        (code, output, _) = await TestRun.CommandLine("export", saved.Folder, "--without-decoder", "--output", file);
        code.Should().Be(0);
        Flat(output).Should().Contain("-> capsules (B, 10, 16), lengths (B, 10). ");
        new FileInfo(file).Length.Should().BeInRange(161_824 * 4, whole / 2);
    }

    [Fact]
    public async Task Export_AsSafetensors_GivesTheWeightsBack()
    {
        using var folder = new TemporaryFolder();
        var file = folder.PathOf("digits.safetensors");
        var (code, output, _) = await TestRun.CommandLine("export", saved.Folder, "--format", "safetensors", "--output", file);
        code.Should().Be(0);
        Flat(output).Should().Contain("safetensors: ");
        var (_, network) = Checkpoint.Load(RunFolder.BestIn(saved.Folder), TorchSharp.torch.CPU);
        using (network)
        {
            Weights.Load(network, file).IsExact.Should().BeTrue();
        }

        (code, output, _) = await TestRun.CommandLine("evaluate", file);
        code.Should().Be(0);
        Flat(output).Should().Contain("test error");
        var whole = new FileInfo(file).Length;
        (code, _, _) = await TestRun.CommandLine("export", saved.Folder, "--format", "safetensors", "--without-decoder", "--output", file);
        code.Should().Be(0);
        new FileInfo(file).Length.Should().BeLessThan(whole);
    }

    [Fact]
    public void Export_WithoutAFile_GoesBesideTheRunAndForTheShippedNetworkIntoTheWorkingFolder()
    {
        RunFolder.PlaceBeside(RunFolder.BestIn(saved.Folder)).Should().Be(saved.Folder);
        RunFolder.PlaceBeside(RunFolder.BestIn(NetworkFile.Pretrained)).Should().Be(".");
    }

    [Fact]
    public async Task Export_ThatCannotBe_SaysWhy()
    {
        using var folder = new TemporaryFolder();
        var (code, _, error) = await TestRun.CommandLine("export", saved.Folder, "--output", folder.PathOf("missing/digits.onnx"));
        code.Should().Be(1);
        error.Trim().Should().StartWith($"{folder.PathOf("missing/digits.onnx")} cannot be written: ").And.EndWith("Give another file with --output.");
        (code, _, error) = await TestRun.CommandLine("export", saved.Folder, "--format", "pickle");
        code.Should().Be(1);
        error.Trim().Should().StartWith("--format must be onnx or safetensors, but is pickle.");
    }

    // Lines as wide as the console that is no terminal.
    private static string Flat(string output) => output.ReplaceLineEndings(" ").Replace("  ", " ");
}
