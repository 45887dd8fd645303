using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Training;

public sealed class BatchFeedTests : IDisposable
{
    private readonly int _threads = get_num_threads();

    // As --threads does: every thread that computes begins with so many.
    public BatchFeedTests() => set_num_threads(2);

    public void Dispose() => set_num_threads(_threads);

    private static ImageBatch Numbered(int step) => new(full([2, 1, 3, 3], step, ScalarType.Float32), tensor([(long)step, step]));

    [Fact]
    public void Next_EveryStep_GivesItsBatchInOrderThenSaysThatNoneIsLeft()
    {
        using var scope = NewDisposeScope();
        using var feed = new BatchFeed(3, 8, Numbered);
        for (var step = 3; step < 8; step++)
        {
            var (images, labels) = feed.Next();
            images[0, 0, 0, 0].item<float>().Should().Be(step);
            labels.data<long>().Should().Equal(step, step);
        }

        ((Action)(() => feed.Next())).Should().Throw<InvalidOperationException>().WithMessage("The epoch has no more batches.");
    }

    [Fact]
    public void Prepare_AfterTorchHasComputed_StillHasOneThread()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "OpenMP's function is found by way of torch_cpu on Linux alone.");
        using var scope = NewDisposeScope();
        var threads = new List<int>();
        using var feed = new BatchFeed(0, 2, step =>
        {
            var batch = Numbered(step);
            threads.Add(get_num_threads());
            return batch;
        });
        feed.Next();
        feed.Next();
        threads.Should().Equal(1, 1);
        get_num_threads().Should().Be(2, "this thread keeps its own");
    }

    // Speed is all that the number of threads changes.
    [Theory]
    [InlineData("Shift")]
    [InlineData("Efficient")]
    [InlineData("Light")]
    public void Prepare_WithOneThread_GivesTheBitsOfAll(string augmentation)
    {
        using var scope = NewDisposeScope();
        using var split = ImageSplit.FromArrays(SmallFiles.Ramp(128 * 3 * 28 * 28), new byte[128], 3, 28, 28);
        var options = new TrainingOptions { Augmentation = Enum.Parse<Augmentation>(augmentation) };
        using var feed = new BatchFeed(0, 1, Prepare);
        feed.Next().Images.bytes.ToArray().Should().Equal(Prepare(0).Images.bytes.ToArray());

        ImageBatch Prepare(int step)
        {
            var batch = Batches.Take(split, Batches.InOrder(128), CPU);
            return batch with { Images = Augmentations.Apply(options, batch.Images, seed: 5).contiguous() };
        }
    }

    [Fact]
    public void Next_PreparationFails_GivesTheBatchesBeforeAndThenTheReason()
    {
        using var scope = NewDisposeScope();
        using var feed = new BatchFeed(0, 5, step => step < 2 ? Numbered(step) : throw new IOException("the disk is gone"));
        feed.Next();
        feed.Next();
        ((Action)(() => feed.Next())).Should().Throw<InvalidOperationException>().WithMessage("*the disk is gone*").WithInnerException<IOException>();
    }

    [Fact]
    public void Dispose_BeforeTheEnd_StopsTheThreadAndFreesWhatWasReady()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var before = Tensor.TotalCount;
        var prepared = 0;
        var feed = new BatchFeed(0, 1000, step =>
        {
            Interlocked.Increment(ref prepared);
            return Numbered(step);
        });
        using (NewDisposeScope())
        {
            feed.Next();
        }

        feed.Dispose();
        prepared.Should().BeLessThan(5, "no more than one batch is kept ready and one in hand");
        Tensor.TotalCount.Should().Be(before);
    }
}
