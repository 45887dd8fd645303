using System.Text.Json;
using Capsules.Samples.Tests;
using static TorchSharp.torch;

namespace Capsules.Onnx.Tests;

public sealed class OnnxGraphTests
{
    [Fact]
    public void Save_InOneCall_GivesTheDocumentedFile()
    {
        using var folder = new TemporaryFolder();
        using var network = new SmallNetwork();
        var path = folder.PathOf("network.onnx");
        OnnxExport.Save(path, [1, 12, 12], network.Modules, network.Decoder, ["none", "odd", "even"]);
        using var run = new OnnxRun(File.ReadAllBytes(path));
        run.Session.InputNames.Should().Equal("images");
        run.Session.OutputNames.Should().Equal("capsules", "lengths", "reconstruction");
        run.Session.InputMetadata["images"].Dimensions.Should().Equal(-1, 1, 12, 12);
        run.Session.InputMetadata["images"].SymbolicDimensions[0].Should().Be("batch");
        run.Session.OutputMetadata["reconstruction"].Dimensions.Should().Equal(-1, 1, 12, 12);
        run.Session.ModelMetadata.ProducerName.Should().Be("Capsules");
        JsonSerializer.Deserialize<string[]>(run.Session.ModelMetadata.CustomMetadataMap["class_names"]).Should().Equal("none", "odd", "even");

        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var images = rand(3, 1, 12, 12);
        var results = run.Run(images);
        var capsules = network.Modules.Aggregate(images, (x, module) => module.call(x));
        Agreement.ShouldAgree(results["capsules"], capsules);
        Agreement.ShouldAgree(results["lengths"], Functional.length(capsules));
        Agreement.ShouldAgree(results["reconstruction"], network.Decoder.call(capsules));
        Directory.GetFiles(folder.Path).Should().Equal(path);
    }

    [Fact]
    public void Save_ThatCannotBe_LeavesTheOldFile()
    {
        using var folder = new TemporaryFolder();
        var path = folder.PathOf("network.onnx");
        File.WriteAllText(path, "old");
        var graph = new OnnxGraph();
        graph.Invoking(g => g.Save(path)).Should().Throw<InvalidOperationException>()
            .WithMessage("The graph has no output, so it would compute nothing. Name one with Output.");
        File.ReadAllText(path).Should().Be("old");
        graph.Output("y", graph.Input("x", 1));
        graph.Invoking(g => g.Save(folder.PathOf("missing/network.onnx"))).Should().Throw<IOException>();
        graph.Save(path);
        File.ReadAllBytes(path).Should().Equal(graph.ToArray());
        Directory.GetFiles(folder.Path).Should().Equal(path);
    }

    [Fact]
    public void Constant_LargerThanAFile_IsRefusedBeforeItIsCopied()
    {
        using var weight = empty(1L << 29, device: META);
        var graph = new OnnxGraph();
        graph.Invoking(g => g.Constant("weight", weight)).Should().Throw<InvalidOperationException>().WithMessage("The weights reach 2 GiB*");
    }

    [Fact]
    public void Save_NamesProducerVersionsAndMetadata()
    {
        var graph = new OnnxGraph();
        graph.Output("y", graph.Input("x", 1));
        var model = Schema.ModelProto.Parser.ParseFrom(graph.ToArray(new Dictionary<string, string> { ["made"] = "here" }));
        model.IrVersion.Should().Be(8);
        model.OpsetImport.Single().Version.Should().Be(17);
        (model.ProducerName, model.ProducerVersion).Should().Be(("Capsules", typeof(OnnxGraph).Assembly.GetName().Version!.ToString(3)));
        model.MetadataProps.Select(entry => (entry.Key, entry.Value)).Should().Equal(("made", "here"));
    }

    [Fact]
    public void Names_TakenTwice_AreRefusedOrNumbered()
    {
        var graph = new OnnxGraph();
        var x = graph.Input("x", 2);
        graph.Invoking(g => g.Input("x", 2)).Should().Throw<ArgumentException>().WithMessage("The graph has a value 'x' already. *");
        graph.Invoking(g => g.Output("x", x)).Should().Throw<ArgumentException>().WithMessage("The graph has a value 'x' already. *");
        OnnxValue[] nodes = [graph.Relu(x), graph.Relu(x), graph.Relu(x)];
        nodes.Select(node => node.Name).Should().Equal("Relu", "Relu_2", "Relu_3");
        var other = new OnnxGraph();
        other.Invoking(g => g.Relu(x)).Should().Throw<ArgumentException>().WithMessage("x is a value of another graph. *");
        graph.Invoking(g => g.Input("z", 0)).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void Operations_ShapesThatDoNotFit_AreRefused()
    {
        var graph = new OnnxGraph();
        var x = graph.Input("x", 2, 3);
        var y = graph.Input("y", 4);
        graph.Invoking(g => g.Plus(x, y)).Should().Throw<ArgumentException>().WithMessage("Add cannot match the shapes (B, 2, 3) and (B, 4).*");
        graph.Invoking(g => g.Reshape(x, OnnxGraph.Batch, 7)).Should().Throw<ArgumentException>().WithMessage("A value (B, 2, 3) cannot be reshaped to (B, 7).*");
        graph.Invoking(g => g.Softmax(x, 3)).Should().Throw<ArgumentOutOfRangeException>();
        graph.Invoking(g => g.Permute(x, 0, 1)).Should().Throw<ArgumentException>().WithMessage("A value (B, 2, 3) cannot be permuted by 0, 1. *");
        graph.Invoking(g => g.Permute(x, 0, 2, 3)).Should().Throw<ArgumentException>().WithParameterName("order");
        graph.Invoking(g => g.Squeeze(x, 1)).Should().Throw<ArgumentException>().WithMessage("Dimension 1 of a value (B, 2, 3) is not of size 1 *");
        graph.Invoking(g => g.Unsqueeze(x, 4)).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("dim");
        graph.Invoking(g => g.Unsqueeze(x, -1)).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("dim");
        graph.Unsqueeze(x, 3).Shape.Should().Equal(OnnxGraph.Batch, 2, 3, 1);
        using var numbers = zeros(2, dtype: ScalarType.Int32);
        graph.Invoking(g => g.Constant("numbers", numbers)).Should().Throw<ArgumentException>().WithMessage("A constant may be floating-point, Int64 or Bool, but is Int32. *").WithParameterName("value");
    }

    [Fact]
    public void Operations_OfIntegers_GiveIntegers()
    {
        var graph = new OnnxGraph();
        var numbers = graph.Integers(1, 2, 3);
        graph.Output("sum", graph.Sum(graph.Plus(graph.Times(numbers, numbers), numbers), 0));
        graph.Output("y", graph.Input("x", 1));
        using var run = new OnnxRun(graph);
        run.Session.OutputMetadata["sum"].ElementType.Should().Be<long>();
    }

    [Fact]
    public void Operations_OfTypesThatTheyDoNotServe_AreRefused()
    {
        var graph = new OnnxGraph();
        var (numbers, x) = (graph.Integers(1, 2, 3), graph.Input("x", 3));
        using var flags = ones(3, dtype: ScalarType.Bool);
        var truth = graph.Constant("truth", flags);
        graph.Invoking(g => g.Plus(x, numbers)).Should().Throw<ArgumentException>().WithMessage("Add cannot match the types Float32 and Int64. *");
        graph.Invoking(g => g.Relu(numbers)).Should().Throw<ArgumentException>().WithMessage("Relu does not serve Int64, which numbers (3) is. *");
        graph.Invoking(g => g.Softmax(numbers, 0)).Should().Throw<ArgumentException>().WithMessage("Softmax does not serve Int64*");
        graph.Invoking(g => g.Times(numbers, 0.5)).Should().Throw<ArgumentException>().WithMessage("Mul does not serve Int64*");
        graph.Invoking(g => g.Squash(numbers)).Should().Throw<ArgumentException>().WithMessage("ReduceL2 does not serve Int64*");
        graph.Invoking(g => g.Plus(truth, truth)).Should().Throw<ArgumentException>().WithMessage("Add does not serve Bool*");
        graph.Invoking(g => g.Sum(truth, 0)).Should().Throw<ArgumentException>().WithMessage("ReduceSum does not serve Bool*");
    }

    [Fact]
    public void Votes_CouplingOrOutputsThatDoNotFit_AreRefused()
    {
        using var layer = new CapsuleLayer(4, 2, 3, 5, new SwappedRouting());
        var graph = new OnnxGraph();
        graph.Invoking(g => g.Apply(layer, g.Input("x", 4, 2))).Should().Throw<ArgumentException>()
            .WithMessage("WeightedSum expected an input (B, J, N) = (B, 3, 4), but got (B, 4, 3). *");
    }

    private sealed class SwappedRouting() : Routing(nameof(SwappedRouting)), IOnnxRouting
    {
        public override RoutingResult Route(
            Votes votes, Tensor? bias = null, Tensor? logits = null, Tensor? activations = null, bool coupling = false) =>
            throw new NotSupportedException();

        public OnnxValue Export(OnnxVotes votes, OnnxValue? bias, OnnxValue? logits)
        {
            votes.Graph.Invoking(_ => votes.Agreement(votes.Materialize())).Should().Throw<ArgumentException>().WithMessage("Agreement expected*");
            return votes.WeightedSum(votes.Graph.Permute(votes.Agreement(votes.Sum()), 0, 2, 1));
        }
    }

    [Fact]
    public void Export_Repeated_LeavesNoTensors()
    {
        using var network = new SmallNetwork();
        Export();
        var (total, scoped) = (Tensor.TotalCount, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        for (var i = 0; i < 5; i++)
        {
            Export();
        }

        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(scoped);
        Tensor.TotalCount.Should().BeLessThanOrEqualTo(total);

        void Export()
        {
            var graph = new OnnxGraph();
            graph.CapsuleOutputs(network.Modules.Aggregate(graph.Input("images", 1, 12, 12), (x, module) => graph.Apply(module, x)), network.Decoder);
        }
    }
}
