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

    // Where libtorch's convolution has ended the process: see Conv2d_KernelThatSeesPaddingAlone_GivesTheBias.
    [Fact]
    public void MatrixPrimaryCapsule_KernelThatSeesPaddingAlone_GivesTheBias()
    {
        using var scope = NewDisposeScope();
        using var layer = new MatrixPrimaryCapsule(3, capsuleTypes: 2, poseSize: 1, kernelSize: 1, stride: 3, padding: 4);
        var input = randn(3, 11, 1, 3).permute(0, 3, 1, 2).detach().requires_grad_();
        var (poses, activations) = layer.call(input);
        poses.shape.Should().Equal(3, 2, 7, 3, 1);
        poses.ShouldBeClose(layer.state_dict()["bias"].narrow(0, 0, 2).view(1, 2, 1, 1, 1).expand(poses.shape), 1e-6);
        (poses.sum() + activations.sum()).backward();
        input.grad!.count_nonzero().item<long>().Should().Be(0);
    }

    // No CPU is taken to be fast at float16, so the operands are computed in float32, and what comes of it rounded once.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void PrimaryCapsules_Float16_AreConvolvedAsMixedPrecisionSays(bool depthwise)
    {
        using var scope = NewDisposeScope();
        using nn.Module layer = depthwise
            ? new DepthwisePrimaryCapsule(8, 4, kernelSize: 3, dtype: float16)
            : new MatrixPrimaryCapsule(8, 2, 2, kernelSize: 3, dtype: float16);
        var (input, state) = (randn([2, 8, 6, 6], float16), layer.state_dict());
        var rounded = nn.functional.conv2d(
            input.to(float32), state["weight"].to(float32), state["bias"].to(float32), groups: depthwise ? 8 : 1).to(float16);
        var given = layer is DepthwisePrimaryCapsule capsules ? capsules.call(input) : ((MatrixPrimaryCapsule)layer).call(input).Poses;
        var expected = depthwise
            ? Capsules.Functional.exponential_squash(rounded.reshape(2, 2, 4, 16).transpose(2, 3).reshape(2, 32, 4))
            : rounded.narrow(1, 0, 8).reshape(2, 2, 4, 4, 4).permute(0, 1, 3, 4, 2);
        given.Equals(expected).Should().BeTrue();
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
            .WithMessage("MatrixPrimaryCapsule's kernel 5 x 5 with dilation 1 x 1 spans 5 x 5 pixels, but the input is 4 x 8 with padding 0 x 0.*");
        ((Action)(() => new MatrixPrimaryCapsule(3, 0))).Should().Throw<ArgumentOutOfRangeException>();
    }
}
