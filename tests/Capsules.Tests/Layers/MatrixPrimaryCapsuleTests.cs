using static TorchSharp.torch;

namespace Capsules.Tests.Layers;

public class MatrixPrimaryCapsuleTests
{
    [Theory]
    [InlineData(1, 1, 0)]
    [InlineData(3, 2, 1)]
    public void MatrixPrimaryCapsule_Channels_ArePosesByTypeThenActivations(long kernel, long stride, long padding)
    {
        using var scope = NewDisposeScope();
        using var layer = new MatrixPrimaryCapsule(2, capsuleTypes: 3, poseSize: 2, kernel, stride, padding, dtype: float64);
        var input = randn([2, 2, 5, 7], float64);
        var state = layer.state_dict();
        var conv = nn.functional.conv2d(input, state["weight"], state["bias"], [stride, stride], [padding, padding]);

        var (poses, activations) = layer.call(input);

        var (h, w) = layer.OutputShape(5, 7);
        poses.shape.Should().Equal(2, 3, h, w, 4);
        activations.ShouldBeClose(conv.narrow(1, 12, 3).sigmoid(), 1e-12);
        for (var type = 0; type < 3; type++)
        {
            for (var entry = 0; entry < 4; entry++)
            {
                poses.select(1, type).select(-1, entry).ShouldBeClose(conv.select(1, type * 4 + entry), 1e-12);
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void MatrixPrimaryCapsule_InputAndParameters_MatchFiniteDifferences(bool batchNorm)
    {
        using var scope = NewDisposeScope();
        using var layer = new MatrixPrimaryCapsule(2, 2, 2, batchNorm: batchNorm, bias: !batchNorm, dtype: float64);
        layer.eval();
        var input = randn([2, 2, 2, 2], float64).requires_grad_();
        GradientCheck.Verify(
            () =>
            {
                var (poses, activations) = layer.call(input);
                return cat([poses.flatten(), activations.flatten()]);
            },
            [input, .. layer.parameters()]);
    }

    [Fact]
    public void MatrixPrimaryCapsule_BatchNorm_NormalisesPosesAndActivationsOfEveryType()
    {
        using var scope = NewDisposeScope();
        using var layer = new MatrixPrimaryCapsule(2, 3, 2, batchNorm: true, dtype: float64);
        var (poses, activations) = layer.call(randn([8, 2, 3, 3], float64));
        poses.mean([0, 2, 3, 4]).ShouldBeClose(zeros([3], float64), 1e-9);
        activations.logit().mean([0, 2, 3]).ShouldBeClose(zeros([3], float64), 1e-9);
        layer.state_dict().Keys.Should().Contain(["pose_norm.weight", "activation_norm.running_var"]);
    }

    [Fact]
    public void MatrixPrimaryCapsule_BatchNormOfOneSampleAtOnePosition_ThrowsWithTheWaysOut()
    {
        using var scope = NewDisposeScope();
        using var layer = new MatrixPrimaryCapsule(2, 3, 2, batchNorm: true);
        ((Action)(() => layer.call(randn(1, 2, 1, 1)))).Should().Throw<ArgumentException>().WithMessage(
            "MatrixPrimaryCapsule normalises over the batch and cannot do so with one sample at one position in training mode. Use a larger batch or call eval().*");
        layer.call(randn(1, 2, 1, 2)).Poses.shape.Should().Equal(1, 3, 1, 2, 4);
        layer.eval();
        layer.call(randn(1, 2, 1, 1)).Poses.shape.Should().Equal(1, 3, 1, 1, 4);
    }

    [Fact]
    public void MatrixPrimaryCapsule_WrongArguments_ThrowInWords()
    {
        using var scope = NewDisposeScope();
        using var layer = new MatrixPrimaryCapsule(3, kernelSize: 5);
        ((Action)(() => layer.call(rand(1, 2, 8, 8)))).Should().Throw<ArgumentException>()
            .WithMessage("MatrixPrimaryCapsule expected input of shape (B, C, H, W) = (*, 3, *, *), but got (1, 2, 8, 8).*");
        ((Action)(() => layer.call(rand(1, 3, 4, 8)))).Should().Throw<ArgumentException>()
            .WithMessage("MatrixPrimaryCapsule's kernel 5 x 5 with dilation 1 x 1 does not fit on a grid of 4 x 8 with padding 0 x 0.*");
        ((Action)(() => new MatrixPrimaryCapsule(3, 0))).Should().Throw<ArgumentOutOfRangeException>();
    }
}
