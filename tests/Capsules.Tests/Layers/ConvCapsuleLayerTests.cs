using static TorchSharp.torch;

namespace Capsules.Tests.Layers;

public class ConvCapsuleLayerTests
{
    private static long[] Pair((long H, long W) size) => [size.H, size.W];

    public static TheoryData<CapsuleKind, long, long, long> Geometries => new()
    {
        { CapsuleKind.Vector, 1, 0, 1 },
        { CapsuleKind.Vector, 2, 1, 1 },
        { CapsuleKind.Vector, 2, 3, 2 },
        { CapsuleKind.Matrix, 1, 0, 1 },
        { CapsuleKind.Matrix, 2, 1, 1 },
    };

    [Theory]
    [MemberData(nameof(Geometries))]
    public void ConvCapsuleLayer_DynamicRouting_IsTheLoopOverPositions(CapsuleKind kind, long stride, long padding, long dilation)
    {
        using var scope = NewDisposeScope();
        var (kernel, strides, paddings, dilations) = ((3L, 2L), (stride, 1L), (padding, 1L), (dilation, 1L));
        using var layer = new ConvCapsuleLayer(2, 4, 3, 4, new DynamicRouting(), kernel, strides, paddings, dilations, kind, bias: true, dtype: float64);
        layer.state_dict()["bias"].detach().normal_();
        var input = randn([2, 2, 5, 4, 4], float64);
        var plain = new PlainConvolution(Pair(kernel), Pair(strides), Pair(paddings), Pair(dilations));

        var result = layer.Route(input, coupling: true);

        var (h, w) = layer.OutputShape(5, 4);
        result.Capsules.shape.Should().Equal(2, 3, h, w, 4);
        result.Activations.Should().BeNull();
        result.Coupling!.shape.Should().Equal(2, h, w, 3 * 2 * 2, 3);
        for (long y = 0; y < h; y++)
        {
            for (long x = 0; x < w; x++)
            {
                var (children, votes) = plain.At(y, x, input, layer.state_dict()["weight"], kind);
                var (v, c) = Tests.Routing.PlainRouting.Run(votes, 3, layer.state_dict()["bias"], null, leaky: false);
                result.Capsules[TensorIndex.Colon, TensorIndex.Colon, y, x].ShouldBeClose(v, 1e-12, $"at {y}, {x}");
                for (var i = 0; i < children.Count; i++)
                {
                    result.Coupling![TensorIndex.Colon, y, x, children[i].Offset * 2 + children[i].Type].ShouldBeClose(c.select(1, i), 1e-12);
                }
            }
        }
    }

    // A child's assignments sum to 1 over all parents, wherever they are: EM over the whole grid, by loops.
    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 1)]
    public void ConvCapsuleLayer_EMRouting_LetsAChildChooseAmongParentsAtAllPositions(long stride, long padding)
    {
        using var scope = NewDisposeScope();
        using var layer = new ConvCapsuleLayer(2, 4, 3, 4, new EMRouting(3, finalLambda: 0.3, dtype: float64), 3, stride, padding, kind: CapsuleKind.Matrix, dtype: float64);
        var (input, activations) = (randn([1, 2, 5, 4, 4], float64), rand([1, 2, 5, 4], float64));
        var plain = new PlainConvolution([3, 3], [stride, stride], [padding, padding], [1, 1]);
        var (h, w) = layer.OutputShape(5, 4);
        var positions = (from y in Enumerable.Range(0, (int)h) from x in Enumerable.Range(0, (int)w) select plain.At(y, x, input, layer.state_dict()["weight"], CapsuleKind.Matrix)).ToList();
        var parents = positions.SelectMany(p => p.Children).GroupBy(Child).ToDictionary(group => group.Key, group => group.Count());
        var r = positions.Select(p => stack(p.Children.Select(c => ones([3], float64) / (3 * parents[Child(c)])).ToArray())).ToList();
        List<Tensor> means = [], outputs = [];
        for (var t = 1; t <= 3; t++)
        {
            (means, outputs) = ([], []);
            var joint = new List<Tensor>();
            foreach (var (position, assigned) in positions.Zip(r))
            {
                var a = stack(position.Children.Select(c => activations[0, c.Type, c.Row, c.Column]).ToArray()).unsqueeze(1);
                var (weights, v) = ((assigned * a).unsqueeze(2), position.Votes[0]);
                var mean = (weights * v).sum(0L) / weights.sum(0L);
                var variance = (weights * (v - mean).square()).sum(0L) / weights.sum(0L);
                var activation = (0.3 * (1 - Math.Pow(0.95, t)) * -(variance.sqrt().log() * weights.sum(0L)).sum(1)).sigmoid();
                joint.Add(activation * ((v - mean).square() / (-2 * variance)).exp().prod(2) / (2 * Math.PI * variance).sqrt().prod(1));
                means.Add(mean);
                outputs.Add(activation);
            }

            var totals = new Dictionary<(long, long, long), Tensor>();
            foreach (var (position, p) in positions.Zip(joint))
            {
                for (var i = 0; i < position.Children.Count; i++)
                {
                    var child = Child(position.Children[i]);
                    totals[child] = totals.TryGetValue(child, out var sum) ? sum + p[i].sum() : p[i].sum();
                }
            }

            r = [.. positions.Zip(joint, (position, p) => p / stack(position.Children.Select(c => totals[Child(c)]).ToArray()).unsqueeze(1))];
        }

        var (poses, routed) = layer.Route(input, activations);
        poses.ShouldBeClose(stack(means).transpose(0, 1).reshape(1, 3, h, w, 4), 1e-6);
        routed.ShouldBeClose(stack(outputs).transpose(0, 1).reshape(1, 3, h, w), 1e-6);

        static (long, long, long) Child((long Offset, long Row, long Column, long Type) edge) => (edge.Row, edge.Column, edge.Type);
    }

    [Fact]
    public void ConvCapsuleLayer_EMCoupling_SumsToOneOverTheParentsOfEveryChild()
    {
        using var scope = NewDisposeScope();
        using var layer = new ConvCapsuleLayer(2, 4, 3, 4, new EMRouting(3, dtype: float64), 2, 1, kind: CapsuleKind.Matrix, dtype: float64);
        var c = layer.Route(randn([2, 2, 3, 3, 4], float64), rand([2, 2, 3, 3], float64), coupling: true).Coupling!;      // (2, 2, 2, 4 * 2, 3)
        var perChild = zeros([2, 2, 3, 3], float64);
        for (var y = 0; y < 2; y++)
        {
            for (var x = 0; x < 2; x++)
            {
                for (var k = 0; k < 4; k++)
                {
                    var cell = perChild[TensorIndex.Colon, TensorIndex.Colon, y + k / 2, x + k % 2];
                    cell.add_(c[TensorIndex.Colon, y, x].narrow(1, k * 2, 2).sum(2));
                }
            }
        }

        perChild.ShouldBeClose(ones([2, 2, 3, 3], float64), 1e-12);
    }

    public static TheoryData<string> Algorithms => ["dynamic", "uniform", "max-min", "k-means", "self", "inverted", "em", "bayes"];

    private static Capsules.Routing Make(string name, long inCapsules, long dim, long types) => name switch
    {
        "dynamic" => new DynamicRouting(),
        "uniform" => new UniformRouting(),
        "max-min" => new MaxMinRouting(),
        "k-means" => new KMeansRouting(),
        "self" => new SelfRouting(inCapsules, dim, types, dtype: float64),
        "inverted" => new InvertedDotProductRouting(dim, dtype: float64),
        "em" => new EMRouting(types, dtype: float64),
        _ => new VariationalBayesRouting(types, dtype: float64),
    };

    [Theory]
    [MemberData(nameof(Algorithms))]
    public void ConvCapsuleLayer_EveryAlgorithm_MatchesFiniteDifferences(string name)
    {
        using var scope = NewDisposeScope();
        using var layer = new ConvCapsuleLayer(1, 4, 2, 4, Make(name, 4, 4, 2), 2, 1, 1, kind: CapsuleKind.Matrix, dtype: float64);
        layer.eval();
        var input = randn([1, 1, 2, 2, 4], float64).requires_grad_();
        var activations = name is "self" or "em" or "bayes" ? rand([1, 1, 2, 2], float64).requires_grad_() : null;
        GradientCheck.Verify(
            () => layer.Route(input, activations) is { Activations: { } a } result ? cat([result.Capsules.flatten(), a.flatten()]) : layer.Route(input).Capsules,
            [input, .. activations is null ? [] : new[] { activations }, .. layer.parameters()]);
    }

    // Padding is absence: the same capsules on a larger grid, masked there, give the same.
    [Theory]
    [MemberData(nameof(Algorithms))]
    public void ConvCapsuleLayer_PaddedOrMasked_GivesTheSame(string name)
    {
        using var scope = NewDisposeScope();
        var routing = Make(name, 9 * 2, 4, 3);
        using var padded = new ConvCapsuleLayer(2, 4, 3, 4, routing, 3, 2, padding: 1, dtype: float64);
        using var plain = new ConvCapsuleLayer(2, 4, 3, 4, routing, 3, 2, padding: 0, dtype: float64);
        plain.load_state_dict(padded.state_dict());
        padded.eval();
        plain.eval();
        var input = randn([2, 2, 5, 5, 4], float64);
        var larger = nn.functional.pad(input, [0, 0, 1, 1, 1, 1], value: double.NaN).requires_grad_();
        var mask = nn.functional.pad(ones([2, 2, 5, 5], float64), [1, 1, 1, 1]).gt(0);
        var (first, second) = (padded.Route(input), plain.Route(larger, mask: mask));
        second.Capsules.ShouldBeClose(first.Capsules, 1e-12);
        second.Activations?.ShouldBeClose(first.Activations!, 1e-12);
        second.Capsules.sum().backward();
        larger.grad!.ShouldBeFinite();
    }

    [Fact]
    public void ConvCapsuleLayer_KernelOfTheGridsSize_IsACapsuleLayer()
    {
        using var scope = NewDisposeScope();
        using var conv = new ConvCapsuleLayer(2, 4, 3, 5, new DynamicRouting(), (3, 2), (1, 1), (0, 0), (1, 1), dtype: float64);
        using var dense = new CapsuleLayer(12, 4, 3, 5, dtype: float64);
        dense.load_state_dict(new Dictionary<string, Tensor> { ["weight"] = conv.state_dict()["weight"].detach().reshape(12, 3, 4, 5) });
        var input = randn([2, 2, 3, 2, 4], float64);
        conv.call(input).reshape(2, 3, 5).ShouldBeClose(dense.call(input.flatten(2, 3).transpose(1, 2).reshape(2, 12, 4)), 1e-12);
    }

    [Fact]
    public void ConvCapsuleLayer_State_HasDocumentedNamesAndShapes()
    {
        using var layer = new ConvCapsuleLayer(8, 16, 6, 16, new EMRouting(6), 3, 2, kind: CapsuleKind.Matrix);
        layer.state_dict().ToDictionary(p => p.Key, p => p.Value.shape).Should().BeEquivalentTo(new Dictionary<string, long[]>
        {
            ["weight"] = [3, 3, 8, 6, 4, 4],
            ["routing.beta_u"] = [6],
            ["routing.beta_a"] = [6],
        });
        using var vectors = new ConvCapsuleLayer1d(8, 6, 5, 7, new UniformRouting(), 3, bias: true);
        vectors.state_dict().ToDictionary(p => p.Key, p => p.Value.shape).Should().BeEquivalentTo(new Dictionary<string, long[]>
        {
            ["weight"] = [3, 8, 5, 6, 7],
            ["bias"] = [5, 7],
        });
    }

    [Fact]
    public void ConvCapsuleLayer_GridsOfSeveralSizesInTurn_AreEachRouted()
    {
        using var scope = NewDisposeScope();
        using var layer = new ConvCapsuleLayer(2, 4, 3, 4, new EMRouting(3), 3, 2, kind: CapsuleKind.Matrix);
        foreach (var size in new[] { 5, 9, 3, 5 })
        {
            var (poses, activations) = layer.Route(randn([2, 2, size, size, 4]), rand(2, 2, size, size));
            poses.shape.Should().Equal(2, 3, (size - 1) / 2, (size - 1) / 2, 4);
            activations.shape.Should().Equal(2, 3, (size - 1) / 2, (size - 1) / 2);
        }
    }

    [Fact]
    public void ConvCapsuleLayer_MatricesWithoutActivations_ThrowsInWords()
    {
        using var scope = NewDisposeScope();
        using var layer = new ConvCapsuleLayer(2, 4, 3, 4, new EMRouting(3), kind: CapsuleKind.Matrix);
        ((Action)(() => layer.call(rand([1, 2, 5, 5, 4])))).Should().Throw<ArgumentException>()
            .WithMessage("ConvCapsuleLayer with EMRouting needs the activations of its matrix capsules. Call Route(poses, activations: ...).*");
    }

    [Fact]
    public void ConvCapsuleLayer_WrongArguments_ThrowInWords()
    {
        using var scope = NewDisposeScope();
        using var layer = new ConvCapsuleLayer(2, 4, 3, 4, new EMRouting(3));
        ((Action)(() => layer.call(rand(1, 8, 4)))).Should().Throw<ArgumentException>().WithMessage(
            "ConvCapsuleLayer expected input of shape (B, T, H, W, D) = (*, 2, *, *, 4), but got (1, 8, 4). Capsules of a list become a grid by input.reshape(B, 2, H, W, 4).*");
        ((Action)(() => layer.call(rand([1, 2, 2, 5, 4])))).Should().Throw<ArgumentException>().WithMessage(
            "ConvCapsuleLayer's kernel 3 x 3 with dilation 1 x 1 does not fit on a grid of 2 x 5 with padding 0 x 0. Use a larger grid, a smaller kernel or more padding.*");
        ((Action)(() => layer.Route(rand([1, 2, 5, 5, 4]), rand(1, 2, 5)))).Should().Throw<ArgumentException>().WithMessage(
            "ConvCapsuleLayer expected activations of shape (B, T, H, W) = (1, 2, 5, 5), as input (1, 2, 5, 5, 4), but got (1, 2, 5).*");
        ((Action)(() => layer.Route(rand([1, 2, 5, 5, 4]), mask: rand(1, 2, 5, 5)))).Should().Throw<ArgumentException>().WithMessage(
            "ConvCapsuleLayer expected mask of dtype Bool, but got Float32.*");
        ((Action)(() => layer.call(rand([1, 2, 5, 5, 4], float64)))).Should().Throw<ArgumentException>().WithMessage(
            "ConvCapsuleLayer expected input of dtype Float32, as its weight, but got Float64.*");
    }

    [Fact]
    public void ConvCapsuleLayer_ImpossibleSizes_Throw()
    {
        ((Action)(() => new ConvCapsuleLayer(2, 8, 3, 8, new EMRouting(3), kind: CapsuleKind.Matrix))).Should().Throw<ArgumentException>()
            .WithMessage("ConvCapsuleLayer expected inDim and outDim to be the same square P * P for matrix capsules, but got 8 and 8. A pose of 4 x 4 has 16.*");
        ((Action)(() => new ConvCapsuleLayer(2, 4, 3, 4, new EMRouting(3), bias: true))).Should().Throw<ArgumentException>()
            .WithMessage("ConvCapsuleLayer's routing, EMRouting, does not use bias. Make the layer with bias: false.*");
        ((Action)(() => new ConvCapsuleLayer(0, 4, 3, 4, new UniformRouting()))).Should().Throw<ArgumentOutOfRangeException>();
        ((Action)(() => new ConvCapsuleLayer(2, 4, 0, 4, new UniformRouting()))).Should().Throw<ArgumentOutOfRangeException>();
        ((Action)(() => new ConvCapsuleLayer(2, 4, 3, 0, new UniformRouting()))).Should().Throw<ArgumentOutOfRangeException>();
        ((Action)(() => new ConvCapsuleLayer(2, 4, 3, 4, new UniformRouting(), kernelSize: 0))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("kernelSize");
        ((Action)(() => new ConvCapsuleLayer(2, 4, 3, 4, new UniformRouting(), stride: 0))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("stride");
        ((Action)(() => new ConvCapsuleLayer(2, 4, 3, 4, new UniformRouting(), padding: -1))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("padding");
        ((Action)(() => new ConvCapsuleLayer(2, 4, 3, 4, new UniformRouting(), dilation: 0))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("dilation");
        ((Action)(() => new ConvCapsuleLayer(2, 4, 3, 4, routing: null!))).Should().Throw<ArgumentNullException>();
    }
}
