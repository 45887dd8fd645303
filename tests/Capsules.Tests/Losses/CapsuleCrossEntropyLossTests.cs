using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Tests.Losses;

public class CapsuleCrossEntropyLossTests
{
    [Fact]
    public void CapsuleCrossEntropy_Logits_IsTorchsCrossEntropy()
    {
        using var scope = NewDisposeScope();
        var (logits, target) = (randn([5, 4], float64), tensor([0L, 3L, 1L, 1L, 2L]));
        F.capsule_cross_entropy(logits, target).ShouldBeClose(nn.functional.cross_entropy(logits, target), 1e-12);
        new CapsuleCrossEntropyLoss().call(logits, target).ShouldBeClose(nn.functional.cross_entropy(logits, target), 1e-12);
    }

    [Fact]
    public void CapsuleCrossEntropy_PerfectActivationsAsLogits_IsTheDocumentedFloor()
    {
        using var scope = NewDisposeScope();
        var perfect = zeros([1, 10], float64);
        perfect[0, 4] = 1.0;
        F.capsule_cross_entropy(perfect, tensor([4L])).item<double>().Should().BeApproximately(Math.Log(1 + 9 / Math.E), 1e-12).And.BeApproximately(1.461, 1e-3);
    }

    [Fact]
    public void CapsuleCrossEntropy_Probabilities_IsMinusTheirLogarithm()
    {
        using var scope = NewDisposeScope();
        var probabilities = tensor([.7, .2, .1, .25, .25, .5]).reshape(2, 3);
        var loss = new CapsuleCrossEntropyLoss(probabilities: true);
        loss.Probabilities.Should().BeTrue();
        loss.call(probabilities, tensor([0L, 2L])).item<double>().Should().BeApproximately(-(Math.Log(.7) + Math.Log(.5)) / 2, 1e-12);
    }

    [Fact]
    public void CapsuleCrossEntropy_ProbabilityOfZero_IsFiniteWithoutGradient()
    {
        using var scope = NewDisposeScope();
        var probabilities = tensor([1f, 0f]).reshape(1, 2).requires_grad_();
        var loss = F.capsule_cross_entropy(probabilities, tensor([1L]), probabilities: true);
        loss.backward();
        loss.item<float>().Should().BeApproximately((float)-Math.Log(1e-12), 1e-4f);
        probabilities.grad!.ToDoubles().Should().Equal(0, 0);
    }

    [Fact]
    public void CapsuleCrossEntropy_Reductions_AreMeanSumAndNone()
    {
        using var scope = NewDisposeScope();
        var (logits, target) = (rand([3, 4], float64), tensor([0L, 1L, 2L]));
        var each = F.capsule_cross_entropy(logits, target, reduction: nn.Reduction.None);
        each.shape.Should().Equal(3);
        F.capsule_cross_entropy(logits, target, reduction: nn.Reduction.Sum).ShouldBeClose(each.sum());
        F.capsule_cross_entropy(logits, target).ShouldBeClose(each.mean());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void CapsuleCrossEntropy_Activations_MatchFiniteDifferences(bool probabilities)
    {
        using var scope = NewDisposeScope();
        var activations = (rand([4, 5], float64) + 0.1).requires_grad_();
        GradientCheck.Verify(() => F.capsule_cross_entropy(activations, tensor([0L, 4L, 2L, 2L]), probabilities), activations);
    }

    [Fact]
    public void CapsuleCrossEntropy_WrongArguments_AreNamed()
    {
        using var scope = NewDisposeScope();
        ((Action)(() => F.capsule_cross_entropy(zeros(2, 3, 4), tensor([0L, 1L])))).Should().Throw<ArgumentException>().WithMessage(
            "capsule_cross_entropy expected activations of shape (B, J) = (*, *), but got (2, 3, 4). Give one number per capsule, as Functional.length(capsules).*");
        ((Action)(() => F.capsule_cross_entropy(zeros(2, 3), tensor([0L, -1L])))).Should().Throw<ArgumentException>().WithMessage(
            "capsule_cross_entropy expected target in [0, 2], for 3 capsules, but got values from -1 to 0.*");
    }

    [Fact]
    public void Losses_ForwardAndBackward_LeaveNoTensorBehind()
    {
        using var outer = NewDisposeScope();
        var (activations, target) = (rand([4, 5]).requires_grad_(), tensor([0L, 4L, 2L, 2L]));
        nn.Module<Tensor, Tensor, Tensor>[] losses = [new SpreadLoss(), new CapsuleCrossEntropyLoss(), new CapsuleCrossEntropyLoss(probabilities: true)];
        Step();
        var before = TorchSharp.DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Step();
        TorchSharp.DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(before);

        void Step()
        {
            foreach (var loss in losses)
            {
                using var value = loss.call(activations, target);
                value.backward();
            }
        }
    }
}
