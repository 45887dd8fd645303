using static TorchSharp.torch;

namespace Capsules.Tests.Layers;

public class PrimaryCapsuleTests
{
    [Fact]
    public void PrimaryCapsule_PaperSizes_Gives1152CapsulesOfEight()
    {
        using var scope = NewDisposeScope();
        using var layer = new PrimaryCapsule(256);
        layer.OutputShape(20, 20).Should().Be((1152, 8));
        layer.OutputShape(28, 28).Should().Be((3200, 8));
        layer.call(rand(2, 256, 20, 20)).shape.Should().Equal(2, 1152, 8);
    }

    [Theory]
    [InlineData(1, 0, 1)]
    [InlineData(2, 1, 1)]
    [InlineData(3, 2, 2)]
    public void PrimaryCapsule_StridePaddingDilation_OutputShapeIsWhatForwardGives(long stride, long padding, long dilation)
    {
        using var scope = NewDisposeScope();
        using var layer = new PrimaryCapsule(2, capsuleTypes: 3, capsuleDim: 4, kernelSize: 3, stride: stride, padding: padding, dilation: dilation);
        var (n, d) = layer.OutputShape(11, 14);
        layer.call(rand(1, 2, 11, 14)).shape.Should().Equal(1, n, d);
    }

    [Fact]
    public void PrimaryCapsule_RectangularKernel_OutputShapeIsWhatForwardGives()
    {
        using var scope = NewDisposeScope();
        using var layer = new PrimaryCapsule(1, 2, 4, (1, 5), (1, 2), (0, 2), (1, 1));
        layer.OutputShape(3, 10).Should().Be((2 * 3 * 5, 4));
        layer.call(rand(2, 1, 3, 10)).shape.Should().Equal(2, 30, 4);
    }

    // Capsule (type, row, column) holds the D neighbouring channels of its type at its position: an NCHW view without a
    // permutation would mix positions and channels.
    [Theory]
    [InlineData(Preset.Paper)]
    [InlineData(Preset.OfficialCode)]
    public void PrimaryCapsule_Capsules_AreOrderedByTypeThenPosition(Preset preset)
    {
        using var scope = NewDisposeScope();
        const int Types = 3, Dim = 2;
        using var layer = new PrimaryCapsule(2, Types, Dim, kernelSize: 2, stride: 1, preset: preset, dtype: float64);
        var x = rand([2, 2, 4, 5], float64);
        var u = layer.call(x);

        var state = layer.state_dict();
        var scale = preset == Preset.OfficialCode ? 1.0 / Types : 1.0;
        var conv = nn.functional.conv2d(x, state["weight"], null) * scale + state["bias"].reshape(1, -1, 1, 1);      // (2, 6, 3, 4)
        u.shape.Should().Equal(2, Types * 3 * 4, Dim);
        for (var type = 0; type < Types; type++)
        {
            for (var row = 0; row < 3; row++)
            {
                for (var column = 0; column < 4; column++)
                {
                    var s = conv.select(3, column).select(2, row).narrow(1, type * Dim, Dim);
                    u.select(1, (type * 3 + row) * 4 + column).ShouldBeClose(Capsules.Functional.squash(s), 1e-12);
                }
            }
        }
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void TruncatedNormal_AnyDtype_IsANormalWithoutItsTails(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var tensor = empty([100_000], dtype);
        Initialize.TruncatedNormal(tensor, 0.1);
        var drawn = tensor.ToDoubles();
        drawn.Max(Math.Abs).Should().BeInRange(0.199, 0.2005);      // to the nearest bfloat16
        drawn.Average().Should().BeApproximately(0, 0.001);
        Math.Sqrt(drawn.Average(x => x * x)).Should().BeApproximately(0.08796, 0.0005);
        drawn.Distinct().Should().HaveCountGreaterThan(1000, "half precisions are rounded and not drawn from few uniform numbers");
    }

    [Fact]
    public void PrimaryCapsule_OfficialCode_DrawsTruncatedNormalAndBiasOfATenth()
    {
        using var layer = new PrimaryCapsule(16, preset: Preset.OfficialCode);
        var state = layer.state_dict();
        var weight = state["weight"].ToDoubles();
        weight.Max(Math.Abs).Should().BeLessThanOrEqualTo(0.2 + 1e-6, "TensorFlow's truncated normal resamples beyond two standard deviations");
        Math.Sqrt(weight.Average(w => w * w)).Should().BeApproximately(0.08796, 0.001, "the truncated normal's standard deviation is 0.8796 of its parent's");
        state["bias"].ToDoubles().Should().OnlyContain(b => Math.Abs(b - 0.1) < 1e-7);
    }

    [Fact]
    public void PrimaryCapsule_Activation_ActsBeforeSquash()
    {
        using var scope = NewDisposeScope();
        using var layer = new PrimaryCapsule(1, 2, 3, kernelSize: 2, activation: nn.ReLU());
        layer.call(randn(2, 1, 6, 6)).min().item<float>().Should().Be(0);
    }

    [Fact]
    public void PrimaryCapsule_ActivationThatChangesTheShape_Throws()
    {
        using var scope = NewDisposeScope();
        using var layer = new PrimaryCapsule(1, 2, 3, kernelSize: 2, activation: nn.Flatten());
        var act = () => layer.call(randn(2, 1, 6, 6));
        act.Should().Throw<ArgumentException>().WithMessage("PrimaryCapsule expected activation of shape (B, T * D, H, W) = (2, 6, 3, 3), but got (2, 54). The activation must keep the shape.*");
    }

    [Fact]
    public void PrimaryCapsule_NoBias_HasNone()
    {
        using var layer = new PrimaryCapsule(1, 2, 3, kernelSize: 2, bias: false);
        layer.state_dict().Keys.Should().Equal("weight");
    }

    [Theory]
    [InlineData(Preset.Paper)]
    [InlineData(Preset.OfficialCode)]
    public void PrimaryCapsule_InputAndParameters_MatchFiniteDifferences(Preset preset)
    {
        using var scope = NewDisposeScope();
        using var layer = new PrimaryCapsule(2, 2, 3, kernelSize: 2, stride: 2, padding: 1, preset: preset, dtype: float64);
        var x = randn([2, 2, 3, 4], float64).requires_grad_();
        GradientCheck.Verify(() => layer.call(x), [x, .. layer.parameters()]);
    }

    [Fact]
    public void PrimaryCapsule_ImageSmallerThanKernel_ThrowsWithTheSizes()
    {
        using var scope = NewDisposeScope();
        using var layer = new PrimaryCapsule(1, kernelSize: 9, dilation: 2);
        const string Message = "PrimaryCapsule's kernel 9 x 9 with dilation 2 x 2 spans 17 x 17 pixels, but the input is 16 x 20 with padding 0 x 0. Use larger images, a smaller kernel or more padding.*";
        ((Action)(() => layer.call(rand(1, 1, 16, 20)))).Should().Throw<ArgumentException>().WithMessage(Message);
        ((Action)(() => layer.OutputShape(16, 20))).Should().Throw<ArgumentException>().WithMessage(Message);
    }

    // Capsules of sequences, in the order that ConvCapsuleLayer1d and CapsuleLayer take.
    [Fact]
    public void PrimaryCapsule_KernelOfHeightOne_ServesSequences()
    {
        using var scope = NewDisposeScope();
        using var layer = new PrimaryCapsule(3, 2, 4, (1, 5), (1, 2), (0, 1), (1, 1), dtype: float64);
        var x = randn([2, 3, 12], float64);
        var line = nn.functional.conv1d(x, layer.Weight.squeeze(2), layer.Bias, stride: 2, padding: 1);      // (B, T * D, L)
        var expected = Capsules.Functional.squash(line.reshape(2, 2, 4, 5).transpose(2, 3));
        layer.OutputShape(1, 12).Should().Be((2 * 5, 4));
        layer.call(x.unsqueeze(2)).reshape(2, 2, 5, 4).ShouldBeClose(expected, 1e-12);
        ((Action)(() => layer.call(x))).Should().Throw<ArgumentException>().WithMessage("*Did you mean input.unsqueeze(2), for sequences, or input.unsqueeze(0), for one image?*");
    }

    [Theory]
    [InlineData(new long[] { 2, 20, 20, 3 }, "Did you mean input.permute(0, 3, 1, 2)?")]
    [InlineData(new long[] { 3, 20, 20 }, "Did you mean input.unsqueeze(0), for one image, or input.unsqueeze(1), for one channel?")]
    [InlineData(new long[] { 2, 4, 20, 20 }, "")]
    public void PrimaryCapsule_WrongShape_ThrowsWithBothShapes(long[] shape, string fix)
    {
        using var scope = NewDisposeScope();
        using var layer = new PrimaryCapsule(3);
        var act = () => layer.call(rand(shape));
        act.Should().Throw<ArgumentException>().WithMessage(
            $"PrimaryCapsule expected input of shape (B, C, H, W) = (*, 3, *, *), but got ({string.Join(", ", shape)}).*{fix}*");
    }

    [Fact]
    public void PrimaryCapsule_OtherDtype_ThrowsWithTheFix()
    {
        using var scope = NewDisposeScope();
        using var layer = new PrimaryCapsule(1);
        var act = () => layer.call(rand([1, 1, 20, 20], float64));
        act.Should().Throw<ArgumentException>().WithMessage("PrimaryCapsule expected input of dtype Float32, as its weight, but got Float64. Convert one of them*");
    }

    [Theory]
    [InlineData(0, 1, 1, 1, 1, 0, 1)]
    [InlineData(1, 0, 1, 1, 1, 0, 1)]
    [InlineData(1, 1, 0, 1, 1, 0, 1)]
    [InlineData(1, 1, 1, 0, 1, 0, 1)]
    [InlineData(1, 1, 1, 1, 0, 0, 1)]
    [InlineData(1, 1, 1, 1, 1, -1, 1)]
    [InlineData(1, 1, 1, 1, 1, 0, 0)]
    public void PrimaryCapsule_ImpossibleSize_Throws(long channels, long types, long dim, long kernel, long stride, long padding, long dilation)
    {
        var act = () => new PrimaryCapsule(channels, types, dim, kernel, stride, padding, dilation);
        act.Should().Throw<ArgumentOutOfRangeException>();
    }
}
