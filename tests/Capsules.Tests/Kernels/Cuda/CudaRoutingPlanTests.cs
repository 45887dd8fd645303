namespace Capsules.Tests.Kernels;

public sealed class CudaRoutingPlanTests
{
    private static readonly CudaRoutingSizes Mnist = new(B: 128, N: 1152, D: 8, J: 10, E: 16, GroupSize: 1);

    public static TheoryData<int, int, int, int, int, int, int> Problems => new()
    {
        { 128, 1152, 8, 10, 16, 1, 132 },
        { 4096, 1152, 8, 10, 16, 1, 132 },
        { 512, 9216, 8, 10, 16, 1, 132 },
        { 1, 1152, 8, 10, 16, 1, 40 },
        { 7, 16, 16, 10, 16, 1, 132 },
        { 33, 1152, 8, 5, 16, 36, 132 },
        { 64, 100, 12, 32, 16, 1, 20 },
        { 65, 17, 4, 16, 32, 1, 1 },
        { 66, 3, 8, 10, 64, 3, 108 },
    };

    [Theory]
    [MemberData(nameof(Problems))]
    public void Plan_AnyProblem_CoversEachInputCapsuleRowAndVectorOnce(int b, int n, int d, int j, int e, int group, int multiprocessors)
    {
        var plan = new CudaRoutingPlan(new(b, n, d, j, e, group), 3, multiprocessors);
        ((plan.Parts - 1) * plan.Chunk).Should().BeLessThan(n);
        (plan.Parts * plan.Chunk).Should().BeGreaterThanOrEqualTo(n);
        var tileRows = plan.RowWarps * 2 * plan.Layout.RowGroups;
        ((plan.RowTiles - 1) * tileRows).Should().BeLessThan(b);
        (plan.RowTiles * tileRows).Should().BeGreaterThanOrEqualTo(b);
        ((plan.RowParts - 1) * plan.GradientRows).Should().BeLessThan(b);
        (plan.RowParts * plan.GradientRows).Should().BeGreaterThanOrEqualTo(b);
        ((plan.Chunks - 1) * plan.GradientChunk).Should().BeLessThan(group);
        (plan.Chunks * plan.GradientChunk).Should().BeGreaterThanOrEqualTo(group);
        (plan.VectorBlocks * 8).Should().BeGreaterThanOrEqualTo(b * j);
    }

    [Theory]
    [MemberData(nameof(Problems))]
    public void Plan_AnyProblem_StaysWithinWhatEveryCardGives(int b, int n, int d, int j, int e, int group, int multiprocessors)
    {
        var plan = new CudaRoutingPlan(new(b, n, d, j, e, group), 3, multiprocessors);
        plan.PassShared.Should().BeInRange(1, 48 * 1024);
        plan.GradientShared.Should().BeInRange(1, 48 * 1024);
        plan.PassThreads.Should().BeInRange(32, 128);
        plan.GradientThreads.Should().BeInRange(32, 128);
        plan.Parts.Should().BeLessThanOrEqualTo(65535);
        plan.RowParts.Should().BeLessThanOrEqualTo(65535);
    }

    [Theory]
    [InlineData(128, 1152)]
    [InlineData(4096, 1152)]
    [InlineData(512, 9216)]
    public void Plan_LargeProblem_KeepsPartsOfSumsBelowATenthOfTheVotes(int b, int n)
    {
        var plan = new CudaRoutingPlan(Mnist with { B = b, N = n }, 3, multiprocessors: 132);
        (plan.Parts / (double)n).Should().BeLessThan(0.1);
        plan.WeightParts.Should().Be(1, "weights' gradients then need no parts at all");
    }

    // What benchmarks/cuda/routing.py plans: emulation and GPU check launch by it, and stand for the library only while both are the same.
    [Theory]
    [InlineData(128, 1152, 8, 10, 16, 1, 132, "128 12544 8 48 24 | 128 34304 1 1 128 1 288")]
    [InlineData(4096, 1152, 8, 10, 16, 1, 132, "128 12544 256 3 384 | 128 34304 1 1 4096 1 288")]
    [InlineData(512, 9216, 8, 10, 16, 1, 132, "128 12544 32 12 768 | 128 34304 1 1 512 1 2304")]
    [InlineData(1, 1152, 8, 10, 16, 1, 40, "128 24064 1 72 16 | 128 34304 1 1 4 1 288")]
    [InlineData(7, 16, 16, 10, 16, 1, 132, "128 45568 1 4 4 | 96 41472 1 1 8 1 11")]
    [InlineData(33, 1152, 8, 5, 16, 36, 132, "128 10240 3 72 16 | 128 22784 3 12 36 1 96")]
    [InlineData(64, 100, 12, 32, 16, 1, 20, "128 27008 8 7 15 | 32 26672 1 1 64 1 300")]
    [InlineData(65, 17, 4, 16, 32, 1, 1, "128 9344 9 1 17 | 128 36928 1 1 65 1 5")]
    [InlineData(66, 3, 8, 10, 64, 3, 108, "128 21376 9 3 1 | 64 42304 1 3 10 7 3")]
    [InlineData(128, 1152, 8, 10, 16, 36, 132, "128 12544 8 48 24 | 128 34304 1 36 128 1 288")]
    [InlineData(1000, 256, 8, 10, 16, 1, 132, "128 12544 63 6 44 | 128 34304 1 1 168 6 64")]
    public void Plan_IsThatOfTheStandAloneCheck(int b, int n, int d, int j, int e, int group, int multiprocessors, string expected)
    {
        var plan = new CudaRoutingPlan(new(b, n, d, j, e, group), 3, multiprocessors);
        var pass = $"{plan.PassThreads} {plan.PassShared} {plan.RowTiles} {plan.Parts} {plan.Chunk}";
        var gradient = $"{plan.GradientThreads} {plan.GradientShared} {plan.GradientChunk} {plan.Chunks}";
        var rows = $"{plan.GradientRows} {plan.RowParts} {plan.GradientBlocks}";
        $"{pass} | {gradient} {rows}".Should().Be(expected);
    }

    [Theory]
    [InlineData(10, 16, "J10E16")]
    [InlineData(11, 16, "J32E16")]
    [InlineData(10, 17, "J16E32")]
    [InlineData(10, 33, "J10E64")]
    public void Plan_Sizes_TakeTheSmallestLayout(int j, int e, string layout) =>
        new CudaRoutingPlan(Mnist with { J = j, E = e }, 3, 1).Layout.Name.Should().Be(layout);

    [Fact]
    public void WhyNot_TooManyOutputCapsules_NamesTheLimits() => CudaRoutingPlan.WhyNot(Mnist with { J = 33 }).Should().Be(
        "The CUDA kernel serves up to 10 output capsules of up to 64 entries, 16 of 32 or 32 of 16, but got 33 of 16.");

    [Fact]
    public void WhyNot_WeightsThatDoNotFit_SaysSo() => CudaRoutingPlan.WhyNot(Mnist with { D = 80 }).Should().Be(
        "The CUDA kernel holds one input capsule's weights in 48 KiB of shared memory, " +
        "and those of 80 entries to 10 output capsules of 16 do not fit.");

    [Fact]
    public void WhyNot_WhatIsServed_IsNull() => CudaRoutingPlan.WhyNot(Mnist).Should().BeNull();

    [Fact]
    public void Plan_WhatIsNotServed_ThrowsWithTheReason()
    {
        var plan = () => new CudaRoutingPlan(Mnist with { E = 65 }, 3, 1);
        plan.Should().Throw<ArgumentException>().WithMessage("The CUDA kernel serves up to 10 output capsules*");
    }
}
