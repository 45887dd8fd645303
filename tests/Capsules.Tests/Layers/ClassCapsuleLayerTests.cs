using static TorchSharp.torch;

namespace Capsules.Tests.Layers;

public class ClassCapsuleLayerTests
{
    // Poses of 3 x 3 at 2 x 4 positions; votes M W, and where the capsule sits in the last column.
    [Fact]
    public void ClassCapsuleLayer_CoordinateAddition_AddsRowAndColumnToTheLastColumnOfVotes()
    {
        using var scope = NewDisposeScope();
        using var layer = new ClassCapsuleLayer(2, 9, 3, 9, new InvertedDotProductRouting(9, dtype: float64), coordinateAddition: true, positions: 8, kind: CapsuleKind.Matrix, dtype: float64);
        var (input, weight) = (randn([2, 2, 2, 4, 9], float64), layer.state_dict()["weight"]);
        var votes = new List<Tensor>();
        for (var type = 0; type < 2; type++)
        {
            for (var y = 0; y < 2; y++)
            {
                for (var x = 0; x < 4; x++)
                {
                    var vote = input[TensorIndex.Colon, type, y, x].reshape(2, 1, 3, 3).matmul(weight[type]);      // (2, J, 3, 3)
                    vote[TensorIndex.Colon, TensorIndex.Colon, 0, 2] += (y + 0.5) / 2;
                    vote[TensorIndex.Colon, TensorIndex.Colon, 1, 2] += (x + 0.5) / 4;
                    votes.Add(vote.flatten(2));
                }
            }
        }

        var expected = new InvertedDotProductRouting(9, dtype: float64).Route(new GivenVotes(stack(votes, dim: 1)), coupling: true);
        var result = layer.Route(input, coupling: true);
        result.Capsules.ShouldBeClose(expected.Capsules, 1e-12);
        result.Coupling!.ShouldBeClose(expected.Coupling!, 1e-12);
    }

    public static TheoryData<string> Algorithms => ["em", "inverted", "uniform", "max-min"];

    private static Capsules.Routing Make(string name) => name switch
    {
        "em" => new EMRouting(2, dtype: float64),
        "inverted" => new InvertedDotProductRouting(4, dtype: float64),
        "uniform" => new UniformRouting(),
        _ => new MaxMinRouting(),
    };

    [Theory]
    [MemberData(nameof(Algorithms))]
    public void ClassCapsuleLayer_InputAndParameters_MatchFiniteDifferences(string name)
    {
        using var scope = NewDisposeScope();
        using var layer = new ClassCapsuleLayer(2, 4, 2, 4, Make(name), coordinateAddition: true, positions: 4, kind: CapsuleKind.Matrix, dtype: float64);
        var input = randn([2, 2, 1, 2, 4], float64).requires_grad_();
        var activations = name == "em" ? rand([2, 2, 1, 2], float64).requires_grad_() : null;
        GradientCheck.Verify(
            () => layer.Route(input, activations) is { Activations: { } a } result ? cat([result.Capsules.flatten(), a.flatten()]) : layer.Route(input).Capsules,
            [input, .. activations is null ? [] : new[] { activations }, .. layer.parameters()]);
    }

    [Theory]
    [MemberData(nameof(Algorithms))]
    public void ClassCapsuleLayer_MaskedPositions_AreAsIfNobodyWereThere(string name)
    {
        using var scope = NewDisposeScope();
        using var layer = new ClassCapsuleLayer(2, 4, 2, 4, Make(name), coordinateAddition: true, positions: 4, kind: CapsuleKind.Matrix, dtype: float64);
        var (input, mask) = (randn([2, 2, 2, 3, 4], float64), rand([2, 2, 2, 3]).gt(0.4));
        var activations = name == "em" ? rand([2, 2, 2, 3], float64) : null;
        var expected = layer.Route(where(mask.unsqueeze(-1), input, randn([2, 2, 2, 3, 4], float64)), activations, mask);
        var result = layer.Route(input, activations, mask);
        result.Capsules.ShouldBeClose(expected.Capsules, 1e-12);
        result.Activations?.ShouldBeClose(expected.Activations!, 1e-12);
        (result.Capsules - layer.Route(input, activations).Capsules).abs().max().item<double>().Should().BeGreaterThan(1e-3, "the mask does something");
    }

    [Fact]
    public void ClassCapsuleLayer_VectorsWithoutCoordinates_AreACapsuleLayerWithSharedPositions()
    {
        using var scope = NewDisposeScope();
        using var classes = new ClassCapsuleLayer(3, 4, 2, 5, new DynamicRouting(), positions: 6, bias: true, dtype: float64);
        using var dense = new CapsuleLayer(3 * 6, 4, 2, 5, bias: true, sharedPositions: 6, dtype: float64);
        dense.load_state_dict(classes.state_dict());
        var input = randn([2, 3, 2, 3, 4], float64);
        classes.call(input).ShouldBeClose(dense.call(input.reshape(2, 18, 4)), 1e-12);
    }

    [Fact]
    public void ClassCapsuleLayer_RoutingThatSums_DrawsForAllPositionsVotesAndAsksHowManyTheyAre()
    {
        using var scope = NewDisposeScope();
        manual_seed(2);
        using var classes = new ClassCapsuleLayer(3, 4, 2, 5, new DynamicRouting(), positions: 36);
        manual_seed(2);
        using var dense = new CapsuleLayer(3 * 36, 4, 2, 5, sharedPositions: 36);
        classes.state_dict()["weight"].Equals(dense.state_dict()["weight"]).Should().BeTrue();
        ((Action)(() => new ClassCapsuleLayer(3, 4, 2, 5, new DynamicRouting()))).Should().Throw<ArgumentException>().WithMessage(
            "ClassCapsuleLayer draws its weights by how many votes DynamicRouting sums. Give positions: the height times the width of the grid. (Parameter 'positions')");
        ((Action)(() => new ClassCapsuleLayer(3, 4, 2, 5, new DynamicRouting(), positions: 0))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("positions");
    }

    [Fact]
    public void ClassCapsuleLayer_State_HasDocumentedNamesAndShapes()
    {
        using var layer = new ClassCapsuleLayer(16, 16, 5, 16, new EMRouting(5), coordinateAddition: true, kind: CapsuleKind.Matrix);
        layer.state_dict().ToDictionary(p => p.Key, p => p.Value.shape).Should().BeEquivalentTo(new Dictionary<string, long[]>
        {
            ["weight"] = [16, 5, 4, 4],
            ["routing.beta_u"] = [5],
            ["routing.beta_a"] = [5],
        });
    }

    [Fact]
    public void ClassCapsuleLayer_WrongArguments_ThrowInWords()
    {
        using var scope = NewDisposeScope();
        using var layer = new ClassCapsuleLayer(2, 4, 3, 4, new EMRouting(3), kind: CapsuleKind.Matrix);
        ((Action)(() => layer.call(rand(1, 8, 4)))).Should().Throw<ArgumentException>().WithMessage(
            "ClassCapsuleLayer expected input of shape (B, T, H, W, D) = (*, 2, *, *, 4), but got (1, 8, 4). Capsules of a list become a grid by input.reshape(B, 2, H, W, 4).*");
        ((Action)(() => layer.call(rand(1, 2, 8, 4)))).Should().Throw<ArgumentException>().WithMessage(
            "*but got (1, 2, 8, 4). Capsules along one dimension, (B, T, L, D), become a grid by input.unsqueeze(2).*");
        ((Action)(() => layer.call(rand([1, 2, 3, 3, 4])))).Should().Throw<ArgumentException>().WithMessage(
            "ClassCapsuleLayer with EMRouting needs the activations of its matrix capsules. Call Route(poses, activations: ...).*");
        ((Action)(() => new ClassCapsuleLayer(2, 4, 3, 4, new EMRouting(3), coordinateAddition: true))).Should().Throw<ArgumentException>().WithMessage(
            "ClassCapsuleLayer adds coordinates to the last column of vote matrices of 2 x 2 or more. Use kind: CapsuleKind.Matrix, or no coordinate addition.*");
    }
}
