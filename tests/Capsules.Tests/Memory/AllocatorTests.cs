using static TorchSharp.torch;

namespace Capsules.Tests.Memory;

public class AllocatorTests
{
    [Fact]
    public void KeepLargeBlocks_OnGlibcAlone_TakesEffectAndTrimGivesBack()
    {
        Allocator.KeepLargeBlocks().Should().Be(Allocator.IsSupported);
        Assert.SkipUnless(Allocator.IsSupported, "glibc alone has these thresholds");

        // Freed blocks stay in the process until they are trimmed: glibc's own thresholds would return each at once.
        var blocks = Enumerable.Range(0, 5).Select(_ => empty(10 << 20, dtype: float32).fill_(1)).ToList();      // 40 MB each
        blocks.ForEach(block => block.Dispose());
        var kept = ProcessMemory.Resident;
        Allocator.Trim().Should().BeTrue();
        (kept - ProcessMemory.Resident).Should().BeGreaterThan(150 << 20, "that was kept and then given back");
    }
}
