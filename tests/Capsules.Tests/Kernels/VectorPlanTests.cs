using System.Runtime.Intrinsics;

namespace Capsules.Tests.Kernels;

public class VectorPlanTests
{
    private static readonly int Widest = Vector512.IsHardwareAccelerated ? 16 : Vector256.IsHardwareAccelerated ? 8 : 4;

    [Theory]
    [InlineData(1, 10, 16, 16)]
    [InlineData(1, 10, 10, 8)]
    [InlineData(1, 3, 4, 4)]
    [InlineData(1, 10, 1000, 16)]
    public void For_OneRow_PutsTheWidestVectorsThatACapsuleFillsOverItsEntries(int batch, int outCapsules, int outDim, int lanes) =>
        VectorPlan.For(batch, outCapsules, outDim).Should().Be(new VectorPlan(LaneContent.Entries, Math.Min(lanes, Widest)));

    // Two rows are worth it with eight lanes and more.
    [Theory]
    [InlineData(2, 10, 16, true)]
    [InlineData(2, 6, 8, true)]
    [InlineData(2, 10, 4, false)]
    public void For_TwoRows_PutsEntriesIntoEightLanesOrMore(int batch, int outCapsules, int outDim, bool entries) =>
        VectorPlan.For(batch, outCapsules, outDim).Content.Should().Be(entries && Widest >= 8 ? LaneContent.Entries : LaneContent.Rows);

    [Theory]
    [InlineData(3, 10, 16, 4)]
    [InlineData(5, 10, 16, 8)]
    [InlineData(9, 10, 16, 16)]
    [InlineData(100, 10, 16, 16)]
    [InlineData(1, 10, 3, 4)]
    [InlineData(1, 2, 16, 4)]
    [InlineData(2, 5, 16, 4)]
    public void For_MoreRowsOrFewCapsulesOrEntries_PutsRowsIntoLanes(int batch, int outCapsules, int outDim, int lanes) =>
        VectorPlan.For(batch, outCapsules, outDim).Should().Be(new VectorPlan(LaneContent.Rows, Math.Min(lanes, Widest)));
}
