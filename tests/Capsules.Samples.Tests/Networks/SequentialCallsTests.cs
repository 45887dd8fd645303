using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Networks;

public class SequentialCallsTests
{
    [Fact]
    public void Through_AnyLayers_GivesWhatTheStackItselfGivesAndLeavesNothing()
    {
        using var scope = NewDisposeScope();
        using var stack = nn.Sequential(
            nn.Conv2d(2, 3, kernel_size: 3), nn.ReLU(), nn.BatchNorm2d(3), nn.LeakyReLU(0.3), nn.Dropout(0.5), nn.InstanceNorm2d(3, affine: true));
        var (a, b) = (rand(4, 2, 8, 8), zeros(4, 2, 8, 8));
        b.copy_(a);
        foreach (var isTraining in (bool[])[true, false])
        {
            stack.train(isTraining);
            manual_seed(1);
            var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
            var ours = stack.Through(a.requires_grad_());
            (DisposeScopeManager.Statistics.ThreadTotalLiveCount - live).Should().BeLessThanOrEqualTo(1);
            manual_seed(1);
            var theirs = stack.call(b.requires_grad_());
            if (!isTraining)
            {
                // The running statistics have moved twice by then, for both alike.
                ours.Equals(theirs).Should().BeTrue();
            }
            else
            {
                ours.allclose(theirs).Should().BeTrue();
                ours.sum().backward();
                theirs.sum().backward();
                a.grad!.allclose(b.grad!, atol: 1e-6).Should().BeTrue();
            }
        }

        a.IsInvalid.Should().BeFalse("the input is the caller's");
    }
}
