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
        var kept = Resident();
        Allocator.Trim().Should().BeTrue();
        (kept - Resident()).Should().BeGreaterThan(150 << 10, "kilobytes that were kept and then given back");
    }

    private static long Resident() => long.Parse(
        File.ReadLines("/proc/self/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2],
        System.Globalization.CultureInfo.InvariantCulture);
}
