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

    // Emulation and GPU check launch by it, and stand for the library only while both are the same.
    [Fact]
    public unsafe void Plan_AnyProblem_IsThatOfTheStandAloneCheck()
    {
        const string Plans = """
            import ctypes, sys
            sys.path.insert(0, sys.argv[1])
            from routing import Plan, structures
            print(*(ctypes.sizeof(structure) for structure in structures(ctypes.c_float)))
            for line in sys.stdin:
                try:
                    p = Plan(*map(int, line.split()))
                except ValueError:
                    print("none")
                    continue
                print(p.pass_threads, p.pass_shared, p.row_warps, p.row_tiles, p.parts, p.chunk, p.gradient_threads, p.gradient_shared,
                      p.gradient_chunk, p.chunks, p.rows, p.row_parts, p.gradient_blocks, p.vector_blocks)
            """;
        var random = new Random(3);
        var problems = Enumerable.Range(0, 20_000).Select(_ => CudaRoutingMemoryTests.Any(random.Next(1, 3000), random)).ToList();
        string[] ours =
        [
            $"{sizeof(CudaPassArguments)} {sizeof(CudaFinishArguments)} {sizeof(CudaStartArguments)} {sizeof(CudaStepArguments)} {sizeof(CudaGradientArguments)}",
            .. problems.Select(problem => Line(problem.Sizes, problem.Passes, problem.Multiprocessors)),
        ];
        var theirs = Python.Run(["-B", "-c", Plans, CudaSources.Emulation], string.Concat(problems.Select(problem =>
        {
            var (b, n, d, j, e, groupSize) = problem.Sizes;
            return $"{b} {n} {d} {j} {e} {groupSize} {problem.Passes} {problem.Multiprocessors}\n";
        }))).Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

        theirs.Should().HaveSameCount(ours);
        ours.Zip(theirs).Select((pair, line) => (pair, problem: line == 0 ? "sizes of arguments" : $"{problems[line - 1]}"))
            .Where(row => row.pair.First != row.pair.Second).Should().BeEmpty();

        static string Line(CudaRoutingSizes sizes, int passes, int multiprocessors)
        {
            if (CudaRoutingPlan.WhyNot(sizes) is not null)
            {
                return "none";
            }

            var p = new CudaRoutingPlan(sizes, passes, multiprocessors);
            return $"{p.PassThreads} {p.PassShared} {p.RowWarps} {p.RowTiles} {p.Parts} {p.Chunk} {p.GradientThreads} {p.GradientShared} "
                + $"{p.GradientChunk} {p.Chunks} {p.GradientRows} {p.RowParts} {p.GradientBlocks} {p.VectorBlocks}";
        }
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
