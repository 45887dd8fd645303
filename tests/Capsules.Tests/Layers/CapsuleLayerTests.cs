using static TorchSharp.torch;

namespace Capsules.Tests.Layers;

public class CapsuleLayerTests
{
    [Fact]
    public void CapsuleLayer_Forward_IsProcedureOneOverItsVotes()
    {
        using var scope = NewDisposeScope();
        using var layer = new CapsuleLayer(7, 4, 3, 5, bias: true, leaky: true, preset: Preset.OfficialCode, dtype: float64);
        var u = randn([2, 7, 4], float64);
        var state = layer.state_dict();
        var votes = einsum("bnd,njde->bnje", u, state["weight"]);
        var (v, c) = Tests.Routing.PlainRouting.Run(votes, 3, state["bias"], null, leaky: true);

        layer.call(u).ShouldBeClose(v, 1e-12);
        var result = layer.Route(u, coupling: true);
        result.Capsules.ShouldBeClose(v, 1e-12);
        result.Coupling!.ShouldBeClose(c, 1e-12);
    }

    [Fact]
    public void CapsuleLayer_DigitCaps_HasThePaperShapes()
    {
        using var scope = NewDisposeScope();
        using var layer = new CapsuleLayer(1152, 8, 10, 16);
        layer.state_dict().ToDictionary(p => p.Key, p => p.Value.numel()).Should().Equal(new Dictionary<string, long> { ["weight"] = 1_474_560 });
        layer.call(rand(3, 1152, 8)).shape.Should().Equal(3, 10, 16);
        layer.call(rand(1, 1152, 8)).shape.Should().Equal(1, 10, 16);
    }

    [Fact]
    public void CapsuleLayer_AllOptions_HaveDocumentedStateNames()
    {
        using var layer = new CapsuleLayer(6, 4, 3, 5, bias: true, learnedLogits: true, sharedPositions: 3);
        layer.state_dict().ToDictionary(p => p.Key, p => p.Value.shape).Should().BeEquivalentTo(new Dictionary<string, long[]>
        {
            ["weight"] = [2, 3, 4, 5],
            ["bias"] = [3, 5],
            ["logits"] = [6, 3],
        });
    }

    [Fact]
    public void CapsuleLayer_SharedPositions_IsOneMatrixForConsecutiveCapsules()
    {
        using var scope = NewDisposeScope();
        using var shared = new CapsuleLayer(6, 4, 3, 5, sharedPositions: 3, dtype: float64);
        using var untied = new CapsuleLayer(6, 4, 3, 5, dtype: float64);
        untied.load_state_dict(new Dictionary<string, Tensor> { ["weight"] = shared.state_dict()["weight"].detach().repeat_interleave(3, dim: 0) });
        var u = randn([2, 6, 4], float64);
        shared.call(u).ShouldBeClose(untied.call(u), 1e-12);
    }

    [Fact]
    public void CapsuleLayer_LogitsLearnedAndGiven_AddUp()
    {
        using var scope = NewDisposeScope();
        using var layer = new CapsuleLayer(4, 3, 2, 3, learnedLogits: true, dtype: float64);
        var (u, given, learned) = (randn([2, 4, 3], float64), randn([2, 4, 2], float64), randn([4, 2], float64));
        var zeroLogits = layer.Route(u, initialLogits: given + learned).Capsules;
        layer.load_state_dict(new Dictionary<string, Tensor> { ["weight"] = layer.state_dict()["weight"].detach().clone(), ["logits"] = learned });
        layer.Route(u, initialLogits: given).Capsules.ShouldBeClose(zeroLogits, 1e-12);
    }

    public static TheoryData<int, bool, RoutingGradient, long> Variants => new()
    {
        { 0, false, RoutingGradient.AllIterations, 1 },
        { 1, true, RoutingGradient.AllIterations, 2 },
        { 3, false, RoutingGradient.AllIterations, 1 },
        { 3, true, RoutingGradient.AllIterations, 4 },
    };

    [Theory]
    [MemberData(nameof(Variants))]
    public void CapsuleLayer_InputAndParameters_MatchFiniteDifferences(int iterations, bool leaky, RoutingGradient gradient, long shared)
    {
        using var scope = NewDisposeScope();
        using var layer = new CapsuleLayer(4, 3, 2, 3, iterations, bias: true, leaky, gradient, learnedLogits: iterations > 0, shared, dtype: float64);
        var u = randn([2, 4, 3], float64).requires_grad_();
        GradientCheck.Verify(() => layer.call(u), [u, .. layer.parameters()]);
    }

    [Fact]
    public void CapsuleLayer_LastIterationGradient_IsTheOneAtConstantCoupling()
    {
        using var scope = NewDisposeScope();
        using var layer = new CapsuleLayer(5, 3, 2, 4, gradient: RoutingGradient.LastIteration, dtype: float64);
        var u = randn([2, 5, 3], float64).requires_grad_();
        var c = layer.Route(u, coupling: true).Coupling!.detach();
        var weight = layer.state_dict()["weight"];
        var expected = Capsules.Functional.squash(einsum("bnj,bnd,njde->bje", c, u, weight));
        var ours = autograd.grad([layer.call(u).square().sum()], [u, weight]);
        var constant = autograd.grad([expected.square().sum()], [u, weight]);
        ours[0].ShouldBeClose(constant[0], 1e-12);
        ours[1].ShouldBeClose(constant[1], 1e-12);
    }

    [Theory]
    [InlineData(1152, 8, 10, 16)]
    [InlineData(10, 16, 5, 8)]
    [InlineData(3200, 8, 20, 32)]
    public void CapsuleLayer_DefaultInitialisation_MakesAnOutputsInputAsLongAsAnInput(long n, long d, long j, long e)
    {
        manual_seed(1);
        using var scope = NewDisposeScope();
        using var layer = new CapsuleLayer(n, d, j, e, routingIterations: 1);
        var u = nn.functional.normalize(randn(8, n, d), dim: -1) * 0.5;
        var lengths = Capsules.Functional.length(layer.call(u));
        (lengths / (1 - lengths)).mean().sqrt().item<float>().Should().BeApproximately(0.5f, 0.05f, "|s|^2 = |v| / (1 - |v|)");
    }

    // Long input capsules, as Adam's first step makes primary capsules. Initialisations that are too large saturate every layer
    // above, where squash has no gradient: the network stays at chance, as users of other implementations report.
    [Fact]
    public void CapsuleLayer_TwoStacked_LearnFromTheDefaultInitialisationAndNotFromALargerOne()
    {
        var (accuracy, loss) = TrainTwoLayers(scale: 1);
        accuracy.Should().BeGreaterThan(0.95f);
        loss.Should().BeLessThan(0.4f);
        TrainTwoLayers(scale: 2.5).Loss.Should().BeGreaterThan(2, "this is what the default protects from");
    }

    private static (float Accuracy, float Loss) TrainTwoLayers(double scale)
    {
        manual_seed(5);
        using var scope = NewDisposeScope();
        using var first = new CapsuleLayer(256, 8, 16, 8);
        using var second = new CapsuleLayer(16, 8, 10, 16);
        using var network = nn.Sequential(first, second);
        using (no_grad())
        {
            foreach (var weight in network.parameters())
            {
                weight.mul_(scale);
            }
        }

        using var optimizer = optim.Adam(network.parameters(), 1e-3);
        var (prototypes, labels) = (randn(10, 256, 8), arange(40) % 10);
        var (accuracy, loss) = (0f, 0f);
        for (var step = 0; step < 80; step++)
        {
            using var inner = NewDisposeScope();
            var inputs = nn.functional.normalize(prototypes.index_select(0, labels) + randn(40, 256, 8), dim: -1) * 0.95;
            optimizer.zero_grad();
            var lengths = Capsules.Functional.length(network.call(inputs));
            var margin = Capsules.Functional.margin_loss(lengths, labels);
            margin.backward();
            optimizer.step();
            (accuracy, loss) = (lengths.argmax(1).eq(labels).to(float32).mean().item<float>(), margin.item<float>());
        }

        return (accuracy, loss);
    }

    [Theory]
    [InlineData(new long[] { 128, 8, 1152 }, "Did you mean input.transpose(1, 2)?")]
    [InlineData(new long[] { 1152, 8 }, "Did you mean input.unsqueeze(0), for one sample?")]
    [InlineData(new long[] { 4, 32, 6, 6, 8 }, "Did you mean input.flatten(1, 3), for capsules on a grid?")]
    [InlineData(new long[] { 2, 3200, 8 }, "For these capsules, make the layer with inCapsules: 3200; PrimaryCapsule.OutputShape gives the number.")]
    public void CapsuleLayer_WrongShape_ThrowsWithBothShapesAndTheFix(long[] shape, string fix)
    {
        using var scope = NewDisposeScope();
        using var layer = new CapsuleLayer(1152, 8, 10, 16);
        var act = () => layer.call(zeros(shape));
        act.Should().Throw<ArgumentException>().WithMessage(
            $"CapsuleLayer expected input of shape (B, N, D) = (*, 1152, 8), but got ({string.Join(", ", shape)}). {fix}*");
    }

    [Fact]
    public void CapsuleLayer_OtherDtype_ThrowsWithTheFix()
    {
        using var scope = NewDisposeScope();
        using var layer = new CapsuleLayer(6, 4, 3, 5);
        var act = () => layer.call(zeros([2, 6, 4], bfloat16));
        act.Should().Throw<ArgumentException>().WithMessage(
            "CapsuleLayer expected input of dtype Float32, as its weight, but got BFloat16. Convert one of them: input.to(torch.ScalarType.Float32), or the module with .to(torch.ScalarType.BFloat16).*");
    }

    [Fact]
    public void CapsuleLayer_WeightsThatFitInNoMemory_ThrowsWithTheirShape() =>
        ((Action)(() => new CapsuleLayer(1L << 20, 1L << 12, 1L << 10, 1L << 10))).Should().Throw<ArgumentException>().WithMessage(
            "Weights of shape (1048576, 1024, 4096, 1024) cannot be made (*). Use smaller sizes, or another device or dtype.");

    [Fact]
    public void CapsuleLayer_SharedPositionsThatDoNotDivide_Throws() =>
        ((Action)(() => new CapsuleLayer(10, 4, 3, 5, sharedPositions: 3))).Should().Throw<ArgumentException>().WithMessage(
            "CapsuleLayer expected sharedPositions to divide inCapsules = 10, but got 3. Give the height times the width of the primary capsules' grid.*");

    [Theory]
    [InlineData(0, 1, 1, 1, 1)]
    [InlineData(1, 0, 1, 1, 1)]
    [InlineData(1, 1, 0, 1, 1)]
    [InlineData(1, 1, 1, 0, 1)]
    [InlineData(1, 1, 1, 1, -1)]
    public void CapsuleLayer_ImpossibleSize_Throws(long n, long d, long j, long e, int iterations) =>
        ((Action)(() => new CapsuleLayer(n, d, j, e, iterations))).Should().Throw<ArgumentOutOfRangeException>();

    [Fact]
    public void CapsuleLayer_InitialLogitsThatWouldBroadcast_Throws()
    {
        using var scope = NewDisposeScope();
        using var layer = new CapsuleLayer(4, 3, 2, 3, learnedLogits: true);
        var act = () => layer.Route(randn(2, 4, 3), initialLogits: zeros(1, 2));
        act.Should().Throw<ArgumentException>().WithMessage("CapsuleLayer expected initialLogits of shape (N, J) = (4, 2), but got (1, 2). Logits may also be (B, N, J).*");
    }

    [Fact]
    public void CapsuleLayer_InitialLogitsOfAnotherDtype_Throws()
    {
        using var scope = NewDisposeScope();
        using var layer = new CapsuleLayer(4, 3, 2, 3);
        var act = () => layer.Route(randn(2, 4, 3), initialLogits: zeros([4, 2], float64));
        act.Should().Throw<ArgumentException>().WithMessage("CapsuleLayer expected initialLogits of dtype Float32, as its weight, but got Float64.*");
    }

    [Theory]
    [InlineData(0, RoutingGradient.AllIterations)]
    [InlineData(3, RoutingGradient.LastIteration)]
    public void CapsuleLayer_LearnedLogitsThatCannotLearn_Throws(int iterations, RoutingGradient gradient) =>
        ((Action)(() => new CapsuleLayer(4, 3, 2, 3, iterations, gradient: gradient, learnedLogits: true))).Should().Throw<ArgumentException>()
            .WithMessage("CapsuleLayer's learned logits get no gradient from routing with 0 iterations or through the last iteration only.*");

    [Fact]
    public void CapsuleLayer_OfficialCode_HasABiasOfATenthByItself()
    {
        using var layer = new CapsuleLayer(4, 3, 2, 3, preset: Preset.OfficialCode);
        layer.state_dict()["bias"].ToDoubles().Should().OnlyContain(b => Math.Abs(b - 0.1) < 1e-7);
        using var without = new CapsuleLayer(4, 3, 2, 3, preset: Preset.OfficialCode, bias: false);
        without.state_dict().Keys.Should().Equal("weight");
    }

    [Fact]
    public void CapsuleLayer_IntegerDtype_Throws() =>
        ((Action)(() => new CapsuleLayer(1, 1, 1, 1, dtype: int64))).Should().Throw<ArgumentException>()
            .WithMessage("CapsuleLayer expected a floating-point dtype for its parameters, but got Int64.*");

    [Fact]
    public void CapsuleLayer_NoRouting_Throws() =>
        ((Action)(() => new CapsuleLayer(1, 1, 1, 1, routing: null!))).Should().Throw<ArgumentNullException>();
}
