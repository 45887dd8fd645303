namespace Capsules.Samples.Tests;

public class DeterministicRandomTests
{
    [Fact]
    public void DeterministicRandom_SameSeed_GivesTheKnownNumbers()
    {
        var random = new DeterministicRandom(seed: 1, stream: 2, index: 3);

        new[] { random.NextUInt64(), random.NextUInt64() }.Should().Equal(374318849193179560UL, 18064757487882034925UL);
    }

    [Fact]
    public void DeterministicRandom_NeighbouringIndices_ShareNoNumbers()
    {
        var seen = new HashSet<ulong>();
        for (ulong index = 0; index < 100; index++)
        {
            var random = new DeterministicRandom(5, stream: index / 10, index: index % 10);
            for (var i = 0; i < 100; i++)
            {
                seen.Add(random.NextUInt64());
            }
        }

        seen.Should().HaveCount(100 * 100);
    }

    [Fact]
    public void DeterministicRandom_NextInt32_IsUniformBelowItsBound()
    {
        var random = new DeterministicRandom(3);
        var counts = new int[5];
        for (var i = 0; i < 50_000; i++)
        {
            counts[random.NextInt32(5)]++;
        }

        // 10,000 each, standard deviation 89.
        counts.Should().OnlyContain(count => count > 9_600 && count < 10_400);
    }

    [Fact]
    public void DeterministicRandom_NextBell_HasMeanZeroAndVarianceOne()
    {
        var random = new DeterministicRandom(4);
        var values = Enumerable.Range(0, 50_000).Select(_ => random.NextBell()).ToList();

        values.Average().Should().BeApproximately(0, 0.03);
        values.Average(value => value * value).Should().BeApproximately(1, 0.03);
        values.Should().OnlyContain(value => Math.Abs(value) < 3.5);
    }
}
