using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples.Tests.Training;

public class BatchFeedTests
{
    private static ImageBatch Numbered(int step) => (full([2, 1, 3, 3], step, ScalarType.Float32), tensor([(long)step, step]));

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
