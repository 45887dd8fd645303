using static TorchSharp.torch;

namespace Capsules.Tests.Layers;

/// <summary>One dimension, and transposed: what differs from <see cref="ConvCapsuleLayerTests"/>.</summary>
public class ConvCapsuleVariantsTests
{
    [Theory]
    [InlineData(1, 0, 1)]
    [InlineData(2, 2, 2)]
    public void ConvCapsuleLayer1d_AnyGeometry_IsTheTwoDimensionalOneOnASingleRow(long stride, long padding, long dilation)
    {
        using var scope = NewDisposeScope();
        using var line = new ConvCapsuleLayer1d(2, 4, 3, 5, new DynamicRouting(), 3, stride, padding, dilation, dtype: float64);
        using var grid = new ConvCapsuleLayer(2, 4, 3, 5, new DynamicRouting(), (1, 3), (1, stride), (0, padding), (1, dilation), dtype: float64);
        grid.load_state_dict(new Dictionary<string, Tensor> { ["weight"] = line.state_dict()["weight"].detach().unsqueeze(0) });
        var input = randn([2, 2, 9, 4], float64);
        var output = line.call(input);
        output.shape.Should().Equal(2, 3, line.OutputShape(9), 5);
        output.ShouldBeClose(grid.call(input.unsqueeze(2)).squeeze(2), 1e-12);
    }

    [Fact]
    public void ConvCapsuleLayer1d_TextsOfDifferentLengths_AreRoutedAsIfCutOff()
    {
        using var scope = NewDisposeScope();
        using var layer = new ConvCapsuleLayer1d(2, 4, 3, 5, new DynamicRouting(), 3, dtype: float64);
        var input = randn([2, 2, 8, 4], float64);
        var there = Capsules.Functional.sequence_mask(tensor([8L, 5]), 8);
        var output = layer.Route(input, mask: there.unsqueeze(1).expand(2, 2, 8)).Capsules;
        output[1].narrow(1, 0, 3).ShouldBeClose(layer.call(input.narrow(0, 1, 1).narrow(2, 0, 5))[0], 1e-12);
        output[1, TensorIndex.Colon, 5].ToDoubles().Should().OnlyContain(x => x == 0, "nobody is there");
    }

    [Theory]
    [InlineData(4, 2, 1, 1, 0)]
    [InlineData(3, 2, 1, 1, 1)]
    [InlineData(2, 3, 0, 2, 2)]
    [InlineData(3, 1, 0, 1, 0)]
    public void ConvTransposeCapsuleLayer_AnyGeometry_IsTheLoopOverPositions(long kernel, long stride, long padding, long dilation, long outputPadding)
    {
        using var scope = NewDisposeScope();
        using var layer = new ConvTransposeCapsuleLayer(2, 4, 3, 5, new DynamicRouting(), kernel, stride, padding, dilation, outputPadding, dtype: float64);
        var input = randn([2, 2, 3, 2, 4], float64);
        var plain = new PlainConvolution([kernel, kernel], [stride, stride], [padding, padding], [dilation, dilation], Transposed: true);

        var output = layer.call(input);

        var (h, w) = layer.OutputShape(3, 2);
        using var reference = nn.ConvTranspose2d(1, 1, kernel, stride, padding, outputPadding, dilation: dilation);
        output.shape.Should().Equal([2, 3, .. reference.call(zeros(1, 1, 3, 2)).shape[2..], 5], "the sizes are ConvTranspose2d's");
        for (long y = 0; y < h; y++)
        {
            for (long x = 0; x < w; x++)
            {
                var (children, votes) = plain.At(y, x, input, layer.state_dict()["weight"], CapsuleKind.Vector);
                var expected = children.Count == 0 ? zeros([2, 3, 5], float64) : Tests.Routing.PlainRouting.Run(votes, 3, null, null, leaky: false).Capsules;
                output[TensorIndex.Colon, TensorIndex.Colon, y, x].ShouldBeClose(expected, 1e-12, $"at {y}, {x}");
            }
        }
    }

    [Theory]
    [InlineData(6, 1)]
    [InlineData(6, 2)]
    [InlineData(4, 4)]
    [InlineData(5, 3)]
    public void ConvTransposeCapsuleLayer_DefaultInitialisation_MakesAnOutputsInputAsLongAsAnInput(long kernel, long stride)
    {
        using var scope = NewDisposeScope();
        using var layer = new ConvTransposeCapsuleLayer(16, 8, 4, 8, new UniformRouting(), kernel, stride, padding: kernel - 1);      // no border
        var lengths = Capsules.Functional.length(layer.call(nn.functional.normalize(randn([2, 16, 9, 9, 8]), dim: -1) * 0.5));
        (lengths / (1 - lengths)).mean().sqrt().item<float>().Should().BeApproximately(0.5f, 0.05f, "|s|^2 = |v| / (1 - |v|)");
    }

    [Fact]
    public void ConvTransposeCapsuleLayer_Defaults_DoubleTheGrid()
    {
        using var layer = new ConvTransposeCapsuleLayer(2, 4, 3, 5, new UniformRouting());
        layer.OutputShape(7, 9).Should().Be((14, 18));
    }

    [Fact]
    public void ConvTransposeCapsuleLayer_EMRouting_MatchesFiniteDifferences()
    {
        using var scope = NewDisposeScope();
        using var layer = new ConvTransposeCapsuleLayer(1, 4, 2, 4, new EMRouting(2, dtype: float64), 3, 2, kind: CapsuleKind.Matrix, dtype: float64);
        VerifyGradients(layer, [1, 1, 2, 2]);
    }

    [Theory]
    [InlineData(4, 2, 1, 1, 0)]
    [InlineData(3, 2, 1, 1, 1)]
    [InlineData(2, 3, 0, 2, 2)]
    [InlineData(3, 1, 2, 1, 0)]
    public void ConvTransposeCapsuleLayer1d_AnyGeometry_IsTheLoopOverPositions(long kernel, long stride, long padding, long dilation, long outputPadding)
    {
        using var scope = NewDisposeScope();
        using var layer = new ConvTransposeCapsuleLayer1d(2, 4, 3, 5, new DynamicRouting(), kernel, stride, padding, dilation, outputPadding, dtype: float64);
        var input = randn([2, 2, 4, 4], float64);
        var plain = new PlainConvolution([1, kernel], [1, stride], [0, padding], [1, dilation], Transposed: true);

        var output = layer.call(input);

        using var reference = nn.ConvTranspose1d(1, 1, kernel, stride, padding, outputPadding, dilation: dilation);
        output.shape.Should().Equal([2, 3, reference.call(zeros(1, 1, 4)).shape[2], 5], "the length is ConvTranspose1d's");
        output.size(2).Should().Be(layer.OutputShape(4));
        for (long x = 0; x < output.size(2); x++)
        {
            var (children, votes) = plain.At(0, x, input.unsqueeze(2), layer.state_dict()["weight"].unsqueeze(0), CapsuleKind.Vector);
            var expected = children.Count == 0 ? zeros([2, 3, 5], float64) : Tests.Routing.PlainRouting.Run(votes, 3, null, null, leaky: false).Capsules;
            output[TensorIndex.Colon, TensorIndex.Colon, x].ShouldBeClose(expected, 1e-12, $"at {x}");
        }
    }

    [Fact]
    public void ConvTransposeCapsuleLayer1d_Defaults_DoubleTheLength()
    {
        using var layer = new ConvTransposeCapsuleLayer1d(2, 4, 3, 5, new UniformRouting());
        layer.OutputShape(7).Should().Be(14);
    }

    [Fact]
    public void ConvTransposeCapsuleLayer1d_EMRouting_MatchesFiniteDifferences()
    {
        using var scope = NewDisposeScope();
        using var layer = new ConvTransposeCapsuleLayer1d(1, 4, 2, 4, new EMRouting(2, dtype: float64), 3, 2, kind: CapsuleKind.Matrix, dtype: float64);
        VerifyGradients(layer, [1, 1, 3]);
    }

    [Fact]
    public void ConvTransposeCapsuleLayer1d_ImpossibleSizes_ThrowInWords()
    {
        using var scope = NewDisposeScope();
        ((Action)(() => new ConvTransposeCapsuleLayer1d(2, 4, 3, 4, new UniformRouting(), outputPadding: 2))).Should()
            .Throw<ArgumentOutOfRangeException>().WithParameterName("outputPadding");
        using var layer = new ConvTransposeCapsuleLayer1d(2, 4, 3, 4, new UniformRouting(), kernelSize: 2, stride: 1, padding: 3);
        ((Action)(() => layer.call(zeros([1, 2, 2, 4])))).Should().Throw<ArgumentException>()
            .WithMessage("ConvTransposeCapsuleLayer1d's padding 3 leaves nothing of a grid of 2. Use less padding or a larger grid.*");
        ((Action)(() => layer.call(zeros([1, 2, 2, 2, 4])))).Should().Throw<ArgumentException>().WithMessage("*(B, T, L, D)*");
    }

    [Fact]
    public void ConvTransposeCapsuleLayer_ImpossibleSizes_ThrowInWords()
    {
        using var scope = NewDisposeScope();
        ((Action)(() => new ConvTransposeCapsuleLayer(2, 4, 3, 4, new UniformRouting(), outputPadding: 2))).Should()
            .Throw<ArgumentOutOfRangeException>().WithParameterName("outputPadding");
        using var layer = new ConvTransposeCapsuleLayer(2, 4, 3, 4, new UniformRouting(), kernelSize: 2, stride: 1, padding: 3);
        ((Action)(() => layer.call(zeros([1, 2, 2, 2, 4])))).Should().Throw<ArgumentException>()
            .WithMessage("ConvTransposeCapsuleLayer's padding 3 x 3 leaves nothing of a grid of 2 x 2. Use less padding or a larger grid.*");
    }

    // Of matrix capsules of 2 x 2 at some positions (B, T, ...), through poses and activations.
    private static void VerifyGradients(GridCapsuleLayer layer, long[] positions)
    {
        var (input, activations) = (randn([.. positions, 4], float64).requires_grad_(), rand(positions, float64).requires_grad_());
        GradientCheck.Verify(
            () =>
            {
                var (poses, a) = layer.Route(input, activations);
                return cat([poses.flatten(), a.flatten()]);
            },
            [input, activations, .. layer.parameters()]);
    }
}
