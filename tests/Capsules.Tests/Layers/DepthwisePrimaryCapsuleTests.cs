using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Tests.Layers;

public class DepthwisePrimaryCapsuleTests
{
    [Fact]
    public void DepthwisePrimaryCapsule_PublishedSizes_Has10496ParametersAnd16CapsulesOfEight()
    {
        using var scope = NewDisposeScope();
        using var layer = new DepthwisePrimaryCapsule(128);
        layer.parameters().Sum(p => p.numel()).Should().Be(10_496);
        layer.state_dict().Keys.Should().Equal("weight", "bias");
        layer.OutputShape(9, 9).Should().Be((16, 8));
        layer.call(rand(2, 128, 9, 9)).shape.Should().Equal(2, 16, 8);
    }

    [Fact]
    public void DepthwisePrimaryCapsule_Drawn_IsGlorotUniformOverAllChannelsWithoutBias()
    {
        using var layer = new DepthwisePrimaryCapsule(128);
        var bound = Math.Sqrt(6.0 / (81 + 81 * 128));
        layer.state_dict()["weight"].ToDoubles().Max(Math.Abs).Should().BeInRange(0.99 * bound, bound);
        layer.state_dict()["bias"].ToDoubles().Should().AllBeEquivalentTo(0.0);
    }

    // Entry d of capsule (type, row, column) sees channel type * D + d alone, through that channel's own kernel.
    [Fact]
    public void DepthwisePrimaryCapsule_Capsules_AreSquashedSumsOfTheirOwnChannels()
    {
        using var scope = NewDisposeScope();
        const int Types = 2, Dim = 3, Rows = 2, Columns = 3;
        using var layer = new DepthwisePrimaryCapsule(Types * Dim, Dim, (3, 2), (2, 1), dtype: float64);
        var state = layer.state_dict();
        using (no_grad())
        {
            state["bias"].uniform_(-1, 1);
        }

        var x = rand([2, Types * Dim, 5, 4], float64);
        layer.OutputShape(5, 4).Should().Be((Types * Rows * Columns, Dim));
        var u = layer.call(x);
        u.shape.Should().Equal(2, Types * Rows * Columns, Dim);
        for (var type = 0; type < Types; type++)
        {
            for (var row = 0; row < Rows; row++)
            {
                for (var column = 0; column < Columns; column++)
                {
                    var entries = Enumerable.Range(type * Dim, Dim).Select(channel =>
                        (x.select(1, channel).narrow(1, 2 * row, 3).narrow(2, column, 2) * state["weight"][channel, 0]).sum([1, 2]) + state["bias"][channel]);
                    u.select(1, (type * Rows + row) * Columns + column).ShouldBeClose(F.exponential_squash(stack(entries, dim: 1)), 1e-12);
                }
            }
        }
    }

    [Fact]
    public void DepthwisePrimaryCapsule_InputAndParameters_MatchFiniteDifferences()
    {
        using var scope = NewDisposeScope();
        using var layer = new DepthwisePrimaryCapsule(4, capsuleDim: 2, kernelSize: 2, dtype: float64);
        var x = randn([2, 4, 3, 2], float64).requires_grad_();
        GradientCheck.Verify(() => layer.call(x), [x, .. layer.parameters()]);
    }

    [Fact]
    public void DepthwisePrimaryCapsule_ChannelsThatAreNoMultiple_Throws() =>
        ((Action)(() => new DepthwisePrimaryCapsule(100))).Should().Throw<ArgumentException>()
            .WithMessage("DepthwisePrimaryCapsule expected channels to be a multiple of capsuleDim = 8, but got 100. Every channel becomes one entry of a capsule.*");

    [Fact]
    public void DepthwisePrimaryCapsule_WrongInputs_ThrowWithShapesAndFix()
    {
        using var scope = NewDisposeScope();
        using var layer = new DepthwisePrimaryCapsule(16, kernelSize: 5);
        var call = (Tensor x) => (Action)(() => layer.call(x));
        call(zeros(2, 9, 9, 16)).Should().Throw<ArgumentException>().WithMessage(
            "DepthwisePrimaryCapsule expected input of shape (B, C, H, W) = (*, 16, *, *), but got (2, 9, 9, 16). Did you mean input.permute(0, 3, 1, 2)?*");
        call(zeros(16, 9, 9)).Should().Throw<ArgumentException>().WithMessage(
            "DepthwisePrimaryCapsule expected input of shape (B, C, H, W) = (*, 16, *, *), but got (16, 9, 9). Did you mean input.unsqueeze(0), for one sample?*");
        call(zeros(2, 16, 4, 9)).Should().Throw<ArgumentException>().WithMessage(
            "DepthwisePrimaryCapsule's kernel 5 x 5 with dilation 1 x 1 spans 5 x 5 pixels, but the input is 4 x 9 with padding 0 x 0. Use larger images, a smaller kernel or more padding.*");
        call(zeros([2, 16, 9, 9], float64)).Should().Throw<ArgumentException>().WithMessage(
            "DepthwisePrimaryCapsule expected input of dtype Float32, as its weight, but got Float64.*");
    }

    [Theory]
    [InlineData(0, 1, 1, "channels")]
    [InlineData(8, 0, 1, "capsuleDim")]
    [InlineData(8, 8, 0, "kernelSize")]
    public void DepthwisePrimaryCapsule_SizeBelowOne_Throws(long channels, long dim, long kernel, string name) =>
        ((Action)(() => new DepthwisePrimaryCapsule(channels, dim, kernel))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName(name);
}
