using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules.Tests.Layers;

/// <summary>What <see cref="BatchNormalisation"/> gives and leaves behind is TorchSharp's own.</summary>
public class BatchNormalisationTests
{
    [Theory]
    [InlineData(0.1, true)]
    [InlineData(0.01, true)]
    [InlineData(null, true)]
    [InlineData(0.1, false)]
    public void Call_TrainingThenEvaluating_IsTheModulesOwnForward(double? momentum, bool tracks)
    {
        using var scope = NewDisposeScope();
        using var ours = nn.BatchNorm2d(3, eps: 1e-3, track_running_stats: tracks);
        using var theirs = nn.BatchNorm2d(3, eps: 1e-3, track_running_stats: tracks);
        (ours.momentum, theirs.momentum) = (momentum, momentum);
        foreach (var isTraining in (bool[])[true, true, false])
        {
            ours.train(isTraining);
            theirs.train(isTraining);
            var (a, b) = (rand(4, 3, 5, 2), zeros(4, 3, 5, 2));
            b.copy_(a);
            var (mine, expected) = (BatchNormalisation.Call(ours, a.requires_grad_()), theirs.call(b.requires_grad_()));
            mine.Equals(expected).Should().BeTrue();
            mine.pow(3).sum().backward();
            expected.pow(3).sum().backward();
            a.grad!.Equals(b.grad!).Should().BeTrue();
            foreach (var (name, value) in theirs.state_dict())
            {
                ours.state_dict()[name].Equals(value).Should().BeTrue("{0} is the module's own", name);
            }
        }

        if (tracks)
        {
            ours.num_batches_tracked!.item<long>().Should().Be(2);
        }
    }
}
