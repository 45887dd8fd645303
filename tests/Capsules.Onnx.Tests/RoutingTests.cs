using static TorchSharp.torch;

namespace Capsules.Onnx.Tests;

public sealed class RoutingTests
{
    private const long N = 12, D = 4, J = 5, E = 6;

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, false)]
    [InlineData(4, true)]
    [InlineData(1, true)]
    public void DynamicRouting_Iterations_Agree(int iterations, bool leaky)
    {
        using var layer = new CapsuleLayer(N, D, J, E, iterations, leaky: leaky);
        using var biased = new CapsuleLayer(N, D, J, E, iterations, bias: true, leaky: leaky, preset: Preset.OfficialCode);
        nn.init.normal_(biased.get_parameter("bias")!);
        Agreement.Check(layer, N, D);
        Agreement.Check(biased, N, D);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(3, false)]
    [InlineData(3, true)]
    public void DynamicRouting_LearnedLogits_Agree(int iterations, bool leaky)
    {
        using var layer = new CapsuleLayer(N, D, J, E, iterations, leaky: leaky, learnedLogits: true);
        nn.init.normal_(layer.get_parameter("logits")!);
        Agreement.Check(layer, N, D);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(12)]
    public void CapsuleLayer_SharedMatrices_Agree(long positions)
    {
        using var layer = new CapsuleLayer(N, D, J, E, sharedPositions: positions);
        Agreement.Check(layer, N, D);
    }

    [Fact]
    public void CapsuleLayer_OneInputOneOutput_Agrees()
    {
        using var layer = new CapsuleLayer(1, D, 1, E);
        Agreement.Check(layer, 1, D);
    }

    [Fact]
    public void SelfAttentionRouting_WithAndWithoutWhatItMayHave_Agrees()
    {
        using var plain = new CapsuleLayer(N, D, J, E, new SelfAttentionRouting());
        using var prior = new CapsuleLayer(N, D, J, E, new SelfAttentionRouting(N, J), bias: true, learnedLogits: true);
        foreach (var parameter in prior.parameters())
        {
            nn.init.normal_(parameter, 0, 0.3);
        }

        Agreement.Check(plain, N, D);
        Agreement.Check(prior, N, D);
    }

    [Fact]
    public void UniformRouting_Agrees()
    {
        using var layer = new CapsuleLayer(N, D, J, E, new UniformRouting(), bias: true);
        nn.init.normal_(layer.get_parameter("bias")!);
        Agreement.Check(layer, N, D);
    }

    [Fact]
    public void OwnRouting_TakesPart()
    {
        using var layer = new CapsuleLayer(N, D, J, E, new MeanRouting());
        Agreement.Check(layer, N, D);
    }

    [Fact]
    public void CapsuleLayer_OtherRouting_SaysWhichAreExported()
    {
        using var em = new CapsuleLayer(N, D, J, E, new EMRouting(J));
        using var matrix = new CapsuleLayer(N, 4, J, 4, new UniformRouting(), kind: CapsuleKind.Matrix);
        const string Exported = "Exported are layers of vector capsules with DynamicRouting, SelfAttentionRouting or UniformRouting, or a routing that implements IOnnxRouting.";
        var graph = new OnnxGraph();
        var x = graph.Input("x", N, D);
        graph.Invoking(g => g.Apply(em, x)).Should().Throw<NotSupportedException>().WithMessage($"CapsuleLayer with EMRouting cannot be exported to ONNX. {Exported}");
        graph.Invoking(g => g.Apply(matrix, x)).Should().Throw<NotSupportedException>().WithMessage($"CapsuleLayer with matrix capsules cannot be exported to ONNX. {Exported}");
    }

    [Fact]
    public void CapsuleLayer_WrongCapsules_SaysBothShapes()
    {
        using var layer = new CapsuleLayer(N, D, J, E);
        var graph = new OnnxGraph();
        graph.Invoking(g => g.Apply(layer, g.Input("x", D, N))).Should().Throw<ArgumentException>()
            .WithMessage("CapsuleLayer expected an input (B, N, D) = (B, 12, 4), but got (B, 4, 12). *");
    }

    private sealed class MeanRouting() : Routing(nameof(MeanRouting)), IOnnxRouting
    {
        public override RoutingResult Route(Votes votes, Tensor? bias = null, Tensor? logits = null, Tensor? activations = null, bool coupling = false)
        {
            using var scope = NewDisposeScope();
            return new RoutingResult(votes.Sum() / votes.InCapsules).MoveToOuterDisposeScope();
        }

        public OnnxValue Export(OnnxVotes votes, OnnxValue? bias, OnnxValue? logits) => votes.Graph.Times(votes.Sum(), 1.0 / votes.InCapsules);
    }
}
