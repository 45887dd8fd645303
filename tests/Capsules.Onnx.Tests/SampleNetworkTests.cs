using Capsules.Samples;
using Capsules.Samples.Tests;
using static TorchSharp.torch;

namespace Capsules.Onnx.Tests;

/// <summary>The sample's networks, whole.</summary>
public sealed class SampleNetworkTests
{
    private static readonly ImageShape Digit = new(1, 28, 28);

    [Theory]
    [InlineData("capsnet", Preset.Paper, 28, 1)]
    [InlineData("capsnet", Preset.OfficialCode, 20, 3)]
    [InlineData("efficient", Preset.Paper, 28, 1)]
    [InlineData("efficient", Preset.Paper, 36, 1)]
    [InlineData("efficient", Preset.Paper, 48, 2)]
    [InlineData("cnn", Preset.Paper, 11, 2)]
    [InlineData("cnn-pooled", Preset.Paper, 11, 2)]
    public void Network_OnRandomImages_Agrees(string model, Preset preset, int size, int channels)
    {
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        using var network = Make(model, new ImageShape(channels, size, size), preset);
        Lengthen(network, rand(1, channels, size, size));
        using var run = Export(network, new ImageShape(channels, size, size));
        foreach (var batch in (long[])[1, 7])
        {
            var images = rand(batch, channels, size, size);
            Compare(network, images, run.Run(images));
        }
    }

    [Fact]
    public void CapsNet_BFloat16Convolutions_ExportsFloat32()
    {
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        var image = new ImageShape(1, 18, 18);
        using var half = new CapsNet(image, 3, precision: Precision.BFloat16);
        using var full = new CapsNet(image, 3);
        full.load_state_dict(half.state_dict());
        using var run = Export(half, image);
        var images = rand(2, 1, 18, 18);
        Compare(full, images, run.Run(images));
    }

    [Theory]
    [InlineData("capsnet", 4)]
    [InlineData("efficient", 25)]
    public void Network_ShortlyTrained_ClassifiesAThousandDigitsAlike(string model, int steps)
    {
        using var dataset = Mnist.Load(RealMnist.FolderOrSkip(), _ => { });
        using var scope = NewDisposeScope();
        using var network = Make(model, Digit, Preset.Paper);
        Train(network, dataset, steps);
        using var inference = inference_mode();
        using var run = Export(network, Digit);
        var alike = 0;
        for (var start = 0; start < 1000; start += 250)
        {
            using var inner = NewDisposeScope();
            var images = Batches.Take(dataset.Test, [.. Enumerable.Range(start, 250).Select(i => (long)i)], CPU).Images;
            var results = run.Run(images);
            var capsules = Compare(network, images, results);
            alike += (int)Functional.length(capsules).argmax(1).eq(results["lengths"].argmax(1)).sum().item<long>();
        }

        alike.Should().Be(1000);
    }

    [Theory]
    [InlineData("matrix", "MatrixCapsNet cannot be exported to ONNX: *")]
    [InlineData("inverted", "InvertedAttentionCapsNet cannot be exported to ONNX: *")]
    public void Network_OfOtherCapsules_IsRefused(string model, string message)
    {
        using var network = Make(model, Digit, Preset.Paper);
        var graph = new OnnxGraph();
        graph.Invoking(g => network.Export(g, g.Input("images", 1, 28, 28))).Should().Throw<NotSupportedException>().WithMessage(message);
    }

    private static ImageNetwork Make(string model, ImageShape image, Preset preset)
    {
        var kind = NetworkCatalog.Get(model);
        var network = kind.Make(kind.Recipe with { Preset = preset, RoutingIterations = Math.Max(kind.Recipe.RoutingIterations, 1) }, image, 10);
        network.eval();
        return network;
    }

    // Capsules of some untrained networks are so short that every network would agree with them.
    private static void Lengthen(ImageNetwork network, Tensor images)
    {
        while (network is ClassCapsules && network.call(images).abs().max().item<float>() < 0.1f)
        {
            network.get_parameter("digits.weight")!.mul_(4f);
        }
    }

    private static OnnxRun Export(ImageNetwork network, ImageShape image)
    {
        var graph = new OnnxGraph();
        network.Export(graph, graph.Input("images", image.Channels, image.Height, image.Width));
        return new OnnxRun(graph);
    }

    private static Tensor Compare(ImageNetwork network, Tensor images, Dictionary<string, Tensor> results)
    {
        var output = network.call(images);
        if (network is not ClassCapsules)
        {
            Agreement.ShouldAgree(results["logits"], output);
            Agreement.ShouldAgree(results["probabilities"], network.Probabilities(output));
            return output;
        }

        Agreement.ShouldAgree(results["capsules"], output);
        Agreement.ShouldAgree(results["lengths"], Functional.length(output));
        Agreement.ShouldAgree(results["reconstruction"], network.Reconstruct(output));
        return output;
    }

    private static void Train(ImageNetwork network, ImageDataset dataset, int steps)
    {
        network.train();
        using var optimizer = optim.Adam(network.parameters(), 2e-3);
        for (var step = 0; step < steps; step++)
        {
            using var scope = NewDisposeScope();
            var batch = Batches.Take(dataset.Train, [.. Enumerable.Range(step * 16, 16).Select(i => (long)i)], CPU);
            optimizer.zero_grad();
            network.Loss(network.call(batch.Images), batch.Labels).backward();
            optimizer.step();
        }

        network.eval();
    }
}
