using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Commands;

public sealed class ImportCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string File => _folder.PathOf("peer.safetensors");

    public void Dispose() => _folder.Dispose();

    // What the layouts do to values is tested in the library; here, that the right one is taken and a network comes of it.
    [Fact]
    public async Task Import_LeftthomasWeights_GivesANetworkWithThem()
    {
        using var scope = NewDisposeScope();
        var tensors = Peer();
        tensors["more"] = ones(1);
        Safetensors.Save(File, tensors);

        var (code, output, error) = await TestRun.CommandLine("import", File, "--layout", "leftthomas");

        error.Should().BeEmpty();
        code.Should().Be(0);
        output.Should().Contain("5 tensors, without the decoder").And.Contain("left out: more");
        var (checkpoint, network) = Checkpoint.Load(_folder.PathOf("peer-capsnet.safetensors"), CPU);
        network.HasDecoder.Should().BeFalse();
        checkpoint.Dataset.Name.Should().Be(Mnist.Name);
        var weight = network.get_parameter("digits.weight")!;
        weight[7, 3].Equals(tensors["digit_capsules.route_weights"][3, 7].t()).Should().BeTrue();
    }

    [Theory]
    [InlineData("gram-ai", "*does not hold the 2017 network on MNIST in the layout gram-ai (*of another shape: digits.weight*")]
    [InlineData("keras", "*does not hold the 2017 network on MNIST in the layout keras (*missing in the file: *")]
    public async Task Import_AnothersLayout_SaysWhatDoesNotFit(string layout, string message)
    {
        using var scope = NewDisposeScope();
        Safetensors.Save(File, Peer());
        var (code, _, error) = await TestRun.CommandLine("import", File, "--layout", layout);
        code.Should().Be(1);
        error.Should().Match(message);
        Directory.GetFiles(_folder.Path).Should().ContainSingle();
    }

    [Fact]
    public async Task Import_FilesThatAreNone_AreReported()
    {
        using var scope = NewDisposeScope();
        (await TestRun.CommandLine("import", File, "--layout", "keras")).Error.Should().Contain($"{File} cannot be read:");
        await System.IO.File.WriteAllTextAsync(File, "none", TestContext.Current.CancellationToken);
        (await TestRun.CommandLine("import", File, "--layout", "keras")).Error.Should().Contain("is not a whole safetensors file");
        Safetensors.Save(File, new Dictionary<string, Tensor> { ["conv1.0"] = ones(2) });
        (await TestRun.CommandLine("import", File, "--layout", "keras")).Error.Should().Contain("1 of another shape: conv1.weight: cannot be made of conv1.0 (2))");
        (await TestRun.CommandLine("import", File, "--layout", "other")).Error.Should().Contain("--layout must be gram-ai, leftthomas, keras or official");
    }

    private static Dictionary<string, Tensor> Peer()
    {
        var tensors = new Dictionary<string, Tensor>
        {
            ["conv1.weight"] = rand(256, 1, 9, 9), ["conv1.bias"] = rand(256), ["digit_capsules.route_weights"] = rand(10, 1152, 16, 8),
        };
        for (var d = 0; d < 8; d++)
        {
            tensors[$"primary_capsules.capsules.{d}.weight"] = rand(32, 256, 9, 9);
            tensors[$"primary_capsules.capsules.{d}.bias"] = rand(32);
        }

        return tensors;
    }
}
