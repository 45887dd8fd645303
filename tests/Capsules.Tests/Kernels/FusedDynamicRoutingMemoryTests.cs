using static TorchSharp.torch;

namespace Capsules.Tests.Kernels;

public sealed class FusedDynamicRoutingMemoryTests
{
    private static void ForwardBackward(int b, int n, int j, int d, int e)
    {
        using var scope = NewDisposeScope();
        var u = randn(b, n, d).requires_grad_(true);
        var weight = randn(n, j, d, e).mul_(0.1).requires_grad_(true);
        var bias = zeros(j, e).requires_grad_(true);
        var v = FusedDynamicRouting.Apply(u, weight, bias, null, 3, leaky: false, gradientThroughAll: true);
        v.sum().backward();
        weight.grad!.isfinite().all().item<bool>().Should().BeTrue();
    }

    [Fact]
    public void Apply_InsideScope_LeavesNoTensorBehind()
    {
        ForwardBackward(3, 4, 2, 3, 5);
        ProcessMemory.Collect();
        var scoped = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var total = Tensor.TotalCount;
        for (var i = 0; i < 100; i++)
        {
            ForwardBackward(3, 4, 2, 3, 5);
        }

        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(scoped);
        ProcessMemory.Collect();
        Tensor.TotalCount.Should().BeLessThanOrEqualTo(total);
    }

    [Fact]
    public void Apply_NoScopeAroundIt_GivesOneLiveTensorForEachCall()
    {
        using var u = randn(3, 4, 3);
        using var weight = randn(4, 2, 3, 5);
        ProcessMemory.Collect();
        var total = Tensor.TotalCount;
        using (var v = FusedDynamicRouting.Apply(u, weight, null, null, 3, leaky: false, gradientThroughAll: true))
        {
            Tensor.TotalCount.Should().Be(total + 1);
        }

        Tensor.TotalCount.Should().Be(total);
    }

    [Fact]
    public void Apply_TenThousandTimesOnFourThreadsUnderForcedCollections_GivesSameGradientsAndDoesNotGrow()
    {
        const int threads = 4, warmUp = 200, calls = 2500;
        var failures = new System.Collections.Concurrent.ConcurrentQueue<Exception>();
        using var warm = new Barrier(threads + 1);
        var cancellation = TestContext.Current.CancellationToken;
        var workers = Enumerable.Range(0, threads).Select(number => new Thread(() => Work(number))).ToList();
        workers.ForEach(worker => worker.Start());
        warm.SignalAndWait(cancellation);
        ProcessMemory.Collect();
        var (resident, tensors) = (ProcessMemory.Resident, Tensor.TotalCount);
        warm.SignalAndWait(cancellation);
        while (workers.Exists(worker => worker.IsAlive))
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Thread.Sleep(1);
        }

        ProcessMemory.Collect();
        failures.Should().BeEmpty();
        (ProcessMemory.Resident - resident).Should().BeLessThan(20_000_000);
        Tensor.TotalCount.Should().BeLessThanOrEqualTo(tensors);

        void Work(int number)
        {
            try
            {
                // Unscoped on purpose in two of four: a forward's temporaries and a backward's results must live on their own.
                // One and nine rows: entries in lanes, and rows.
                var rows = number < 2 ? 9 : 1;
                using var u = randn(rows, 12, 4).requires_grad_(true);
                using var weight = randn(12, 3, 4, 5).requires_grad_(true);
                using var upstream = randn(rows, 3, 5);
                using var expected = Gradient(u, weight, upstream);
                Repeat(warmUp);
                warm.SignalAndWait(cancellation);
                warm.SignalAndWait(cancellation);
                Repeat(calls);

                void Repeat(int count)
                {
                    for (var call = 0; call < count; call++)
                    {
                        using var scope = number % 2 == 0 ? NewDisposeScope() : null;
                        using var actual = Gradient(u, weight, upstream);
                        if (!actual.Equals(expected))
                        {
                            throw new InvalidOperationException($"Call {call} on thread {number} gave another gradient than the first.");
                        }
                    }
                }
            }
            catch (Exception exception)
            {
                failures.Enqueue(exception);
                warm.RemoveParticipant();
            }
        }

        static Tensor Gradient(Tensor u, Tensor weight, Tensor upstream)
        {
            using var v = FusedDynamicRouting.Apply(u, weight, null, null, 3, leaky: false, gradientThroughAll: true);
            var gradients = autograd.grad([v], [u, weight], [upstream]);
            gradients[0].Dispose();
            return gradients[1];
        }
    }

    [Fact]
    public void Apply_MnistShape_PeaksBelowATenthOfTheVotes()
    {
        Assert.SkipUnless(ProcessMemory.HasPeak, "The peak is read from /proc.");
        const int b = 100, n = 1152, j = 10, d = 8, e = 16;
        var votes = sizeof(float) * (long)b * n * j * e;
        using var scope = NewDisposeScope();
        var u = randn(b, n, d).requires_grad_(true);
        var weight = randn(n, j, d, e).mul_(0.1).requires_grad_(true);
        var upstream = randn(b, j, e);
        long results = sizeof(float) * ((long)u.numel() + weight.numel() + b * j * e);
        long peak = 0;

        // The first round compiles and maps libraries. What it left in the heap and in the last backward's hands is let go, or the second would
        // reuse it unseen.
        for (var round = 0; round < 2; round++)
        {
            ProcessMemory.Collect();
            GuardedBackward.Release();
            _ = Allocator.Trim();
            ProcessMemory.ResetPeak();
            var before = ProcessMemory.Resident;
            using var inner = NewDisposeScope();
            var v = FusedDynamicRouting.Apply(u, weight, null, null, 3, leaky: false, gradientThroughAll: true);
            var gradients = autograd.grad([v], [u, weight], [upstream]);
            peak = ProcessMemory.Peak - before;
        }

        peak.Should().BeInRange(results * 9 / 10, results + votes / 10, "the results are in it");
    }
}
