using static TorchSharp.torch;

namespace Capsules.Tests.Memory;

/// <summary>
/// Training and predicting on several threads at once while another forces collections all the time: each gets, to the bit, what it gets alone,
/// and no tensor stays behind.
/// </summary>
public sealed class ThreadsTests : IDisposable
{
    private const int Steps = 10, Predictions = 20;

    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public async Task TrainAndPredict_OnThreadsAtOnceUnderForcedCollections_GiveWhatEachGivesAlone()
    {
        using var shared = new Network();
        shared.eval();
        var images = Images(1);

        // On threads like those of the test: the number of threads that torch computes with belongs to each.
        Func<double[]>[] works = [() => Train(seed: 2), () => Train(seed: 3), () => Predict(shared, images), () => Predict(shared, images)];
        var alone = new List<double[]>();
        foreach (var work in works)
        {
            alone.Add(await Task.Run(work, TestContext.Current.CancellationToken));
        }

        var middle = LiveTensors();
        using var stop = new CancellationTokenSource();
        var collections = 0;
        var collector = Task.Run(
            () =>
            {
                while (!stop.IsCancellationRequested)
                {
                    GC.Collect();
                    collections++;
                    Thread.Sleep(2);
                }
            }, TestContext.Current.CancellationToken);
        var together = await Task.WhenAll(works.Select(work => Task.Factory.StartNew(work, TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        await stop.CancelAsync();
        await collector;

        collections.Should().BeGreaterThan(5);
        for (var i = 0; i < works.Length; i++)
        {
            together[i].Should().Equal(alone[i], "work {0} beside others computes what it computes alone", i);
        }

        together[0].Should().NotEqual(together[1], "two trainings of other seeds");

        // Of what ran before this test something may still have been waiting for the collector: fewer are no fault.
        var counted = 2 * shared.parameters().Count();
        (LiveTensors() - middle).Should().BeLessThanOrEqualTo(counted, "TorchSharp counts one tensor too many for each parameter that is made");
    }

    // The process's, whichever thread they are of, once collections free no more of them.
    private static long LiveTensors()
    {
        for (var (round, before) = (0, long.MaxValue); round < 20 && Tensor.TotalCount < before; round++)
        {
            before = Tensor.TotalCount;
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Thread.Sleep(20);
        }

        return Tensor.TotalCount;
    }

    // A whole training: the losses of its steps, and the sums of its weights at the end.
    private static double[] Train(int seed)
    {
        using var outer = NewDisposeScope();
        var numbers = new List<double>();
        using (var network = new Network(seed))
        {
            using var optimizer = new FusedAdam(network.parameters(), lr: 0.01);
            var (images, labels) = (Images(seed), tensor([0L, 1, 2, 0, 1, 2, 2, 0]));
            for (var step = 0; step < Steps; step++)
            {
                using var scope = NewDisposeScope();
                optimizer.zero_grad();
                var loss = network.Loss(images, labels);
                loss.backward();
                optimizer.step();
                numbers.Add(loss.item<float>());
            }

            numbers.AddRange(network.parameters().Select(parameter => parameter.detach().to(float64).sum().item<double>()));
        }

        return [.. numbers];
    }

    private static double[] Predict(Network network, Tensor images)
    {
        using var noGradient = no_grad();
        double[]? first = null;
        for (var i = 0; i < Predictions; i++)
        {
            using var scope = NewDisposeScope();
            var (lengths, reconstruction, activations) = network.Predict(images);
            var numbers = lengths.ToDoubles().Concat(reconstruction.ToDoubles()).Concat(activations.ToDoubles()).ToArray();
            first ??= numbers;
            numbers.Should().Equal(first, "prediction {0}", i);
        }

        return first!;
    }

    private static Tensor Images(int seed)
    {
        using var generator = new Generator((ulong)seed);
        return rand([8, 2, 9, 9], generator: generator);
    }

    // Vector capsules with dynamic routing and a decoder beside matrix capsules with EM routing.
    private sealed class Network : nn.Module
    {
        private readonly PrimaryCapsule primary = new(2, 3, 4, kernelSize: 3);
        private readonly CapsuleLayer layer = new(48, 4, 3, 5);
        private readonly MaskedDecoder decoder = new(3, 5, [2, 9, 9], [7]);
        private readonly MatrixPrimaryCapsule matrices = new(2, 2, 2, kernelSize: 3, stride: 2);
        private readonly ConvCapsuleLayer conv = new(2, 4, 3, 4, new EMRouting(3), kernelSize: 3);
        private readonly ClassCapsuleLayer classes = new(3, 4, 3, 4, new EMRouting(3), kind: CapsuleKind.Matrix);

        // Its weights are those of its seed, however many networks are made at once.
        public Network(int seed = 1) : base(nameof(Network))
        {
            RegisterComponents();
            using var noGradient = no_grad();
            using var generator = new Generator((ulong)seed);
            foreach (var parameter in parameters())
            {
                using var numbers = randn(parameter.shape, generator: generator).mul_(0.2f);
                parameter.copy_(numbers);
            }
        }

        public Tensor Loss(Tensor images, Tensor labels)
        {
            var capsules = layer.call(primary.call(images));
            var (_, activations) = Matrices(images);
            return Capsules.Functional.margin_loss(Capsules.Functional.length(capsules), labels)
                + Capsules.Functional.reconstruction_loss(decoder.call(capsules, labels), images)
                + Capsules.Functional.spread_loss(activations, labels);
        }

        public (Tensor Lengths, Tensor Reconstruction, Tensor Activations) Predict(Tensor images)
        {
            var capsules = layer.call(primary.call(images));
            return (Capsules.Functional.length(capsules), decoder.call(capsules), Matrices(images).Activations);
        }

        private (Tensor Poses, Tensor Activations) Matrices(Tensor images)
        {
            var (poses, activations) = matrices.call(images);
            var (middle, their) = conv.Route(poses, activations);
            var (last, lastActivations) = classes.Route(middle, their);
            return (last, lastActivations);
        }
    }
}
