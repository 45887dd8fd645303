using TorchSharp;
using static TorchSharp.torch;
using F = Capsules.Functional;

namespace Capsules.Samples.Tests.Training;

public class EvaluatorTests
{
    [Fact]
    public void Evaluator_UnevenBatches_CountsEveryImageOnce()
    {
        manual_seed(2);
        using var scope = NewDisposeScope();
        using var dataset = SmallDigits.Create(10, 123);
        using var network = new CapsNet(new ImageShape(1, SmallDigits.LeastSize, SmallDigits.LeastSize), 10);
        var result = Evaluator.Run(network, dataset.Test, Batches.InOrder(123), CPU, cancellation: TestContext.Current.CancellationToken);

        var (images, labels) = Batches.Take(dataset.Test, Batches.InOrder(123), CPU);
        var lengths = F.length(network.call(images));
        result.Images.Should().Be(123);
        result.Wrong.Should().Be(network.Predict(images).ne(labels).sum().item<long>()).And.BeInRange(1, 122);
        result.Loss.Should().BeApproximately(F.margin_loss(lengths, labels).item<float>(), 1e-5);
        (result.Accuracy + result.Error).Should().BeApproximately(1, 1e-12);
        network.training.Should().BeTrue("evaluation leaves the mode as it was");
        var stopped = () => Evaluator.Run(network, dataset.Test, Batches.InOrder(123), CPU, cancellation: new CancellationToken(canceled: true));
        stopped.Should().Throw<OperationCanceledException>();
        network.training.Should().BeTrue("a stopped one too");
    }
}
