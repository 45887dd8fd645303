namespace Capsules.Tests.Kernels;

/// <summary>What docs/gpu-kernel.md says of the memory that the CUDA kernel takes beside its results, of any plan.</summary>
public sealed class CudaRoutingMemoryTests
{
    private static readonly int[] Batches = [1, 1, 2, 3, 7, 33, 100, 128, 512, 4096, 60000];
    private static readonly int[] InDims = [1, 2, 3, 4, 5, 8, 9, 16, 18, 40, 69];
    private static readonly (int J, int E)[] Outputs =
        [(1, 1), (2, 1), (1, 64), (3, 5), (5, 16), (10, 8), (10, 16), (11, 16), (32, 16), (32, 1), (16, 32), (10, 64)];

    private static readonly int[] GroupSizes = [1, 1, 1, 2, 7, 36, 64, 500];
    private static readonly int[] Iterations = [0, 1, 2, 3, 4, 5, 10];
    private static readonly int[] Multiprocessors = [1, 4, 20, 46, 108, 132, 148, 1000];

    [Fact]
    public void Plan_ManyInputCapsules_TakesATenthOfTheVotesAtMost()
    {
        var random = new Random(1);
        List<string> failures = [];
        for (var i = 0; i < 50_000; i++)
        {
            // As few groups as are many input capsules, or up to 2,000 more.
            var (sizes, passes, multiprocessors) = Any(1, random);
            var groups = (Fewest(passes) + sizes.GroupSize - 1) / sizes.GroupSize + random.From([0, 0, 1, random.Next(2000)]);
            sizes = sizes with { N = groups * sizes.GroupSize };
            Check(sizes, passes, multiprocessors, bytes => 10 * bytes <= 4 * Vectors(sizes) * sizes.N, failures);
        }

        failures.Should().BeEmpty();
    }

    [Fact]
    public void Plan_FewInputCapsules_TakesSoManyTimesTheOutputAtMost()
    {
        var random = new Random(2);
        List<string> failures = [];
        for (var i = 0; i < 50_000; i++)
        {
            var (sizes, passes, multiprocessors) = Any(random.Next(1, 241), random);
            Check(sizes, passes, multiprocessors, IsWithin, failures);

            bool IsWithin(long bytes) => sizes.N >= Fewest(passes)
                || bytes <= 4 * ((3L * passes + Math.Max(8, sizes.N / 16)) * Vectors(sizes) + sizes.J * sizes.E);
        }

        failures.Should().BeEmpty();
    }

    // Divided as finely as fills the card, the parts of dW would be eight times the votes, a fourth of them, and eight times.
    [Theory]
    [InlineData(1, 1152, 8, 10, 16, 36, 132)]
    [InlineData(100, 512, 8, 5, 16, 1, 132)]
    [InlineData(1, 1152, 8, 10, 16, 1152, 132)]
    public void Plan_WeightsOnceLargeBesideTheVotes_TakesATenthAtMost(int b, int n, int d, int j, int e, int groupSize, int multiprocessors)
    {
        var sizes = new CudaRoutingSizes(b, n, d, j, e, groupSize);
        (MostBytes(new CudaRoutingPlan(sizes, 3, multiprocessors), 3) / (4.0 * n * Vectors(sizes))).Should().BeLessThanOrEqualTo(0.1);
    }

    [Fact]
    public void Plan_MemoryAllows_SplitsGradientsOverTheCard()
    {
        // One warp for each shared weight would leave most of the card without work.
        var plan = new CudaRoutingPlan(new(B: 128, N: 1152, D: 8, J: 10, E: 16, GroupSize: 36), 3, 132);
        plan.WeightParts.Should().Be(36);
        new CudaRoutingPlan(new(B: 1000, N: 256, D: 8, J: 10, E: 16, GroupSize: 1), 3, 132).RowParts.Should().Be(6);
    }

    /// <summary>A problem of so many groups of input capsules, served or not, and a card's multiprocessors.</summary>
    internal static (CudaRoutingSizes Sizes, int Passes, int Multiprocessors) Any(int groups, Random random)
    {
        var (groupSize, (j, e)) = (random.From(GroupSizes), random.From(Outputs));
        return (new(random.From(Batches), groups * groupSize, random.From(InDims), j, e, groupSize),
            Math.Max(random.From(Iterations), 1), random.From(Multiprocessors));
    }

    /// <summary>Bytes of all tensors beside u, W and the results that are alive at one time, at most.</summary>
    internal static long MostBytes(CudaRoutingPlan plan, int passes)
    {
        var sizes = plan.Sizes;
        var (vectors, weights) = (Vectors(sizes), (long)sizes.Groups * sizes.J * sizes.D * sizes.E);

        // s of every pass, V of every pass but the last, ds of every pass, a running sum; with them the parts of the sums.
        var passing = (3L * passes + plan.Parts) * vectors;

        // s, V and ds; the bias's gradient; with them the parts of dW and of the gradient of logits (N, J), and what they are added up to.
        var weightParts = plan.WeightParts > 1 ? (plan.WeightParts + 1) * weights : 0;
        var logitsParts = plan.RowParts > 1 ? (plan.RowParts + 1L) * sizes.N * sizes.J : 0;
        var gradients = (2L * passes + Math.Max(passes - 1, 1)) * vectors + sizes.J * sizes.E + weightParts + logitsParts;
        return sizeof(float) * Math.Max(passing, gradients);
    }

    private static long Vectors(in CudaRoutingSizes sizes) => (long)sizes.B * sizes.J * sizes.E;

    // From so many input capsules on a tenth of the votes is the bound.
    private static int Fewest(int passes) => Math.Max(80 * passes, 128);

    private static void Check(CudaRoutingSizes sizes, int passes, int multiprocessors, Func<long, bool> holds, List<string> failures)
    {
        if (CudaRoutingPlan.WhyNot(sizes) is not null)
        {
            return;
        }

        var bytes = MostBytes(new CudaRoutingPlan(sizes, passes, multiprocessors), passes);
        if (!holds(bytes))
        {
            failures.Add($"{sizes}, {passes} passes, {multiprocessors} multiprocessors: {bytes} bytes");
        }
    }
}

file static class RandomChoice
{
    public static T From<T>(this Random random, T[] choices) => choices[random.Next(choices.Length)];
}
