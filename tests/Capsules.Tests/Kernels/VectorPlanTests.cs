namespace Capsules.Tests.Kernels;

public class VectorPlanTests
{
    private static readonly int Widest =
        System.Runtime.Intrinsics.Vector512.IsHardwareAccelerated ? 16 : System.Runtime.Intrinsics.Vector256.IsHardwareAccelerated ? 8 : 4;

    [Theory]
    [InlineData(1, 16, 16)]
    [InlineData(1, 10, 8)]
    [InlineData(1, 4, 4)]
    [InlineData(1, 1000, 16)]
    public void For_OneRow_PutsTheWidestVectorsThatACapsuleFillsOverItsEntries(int batch, int outDim, int lanes) =>
        VectorPlan.For(batch, outDim).Should().Be(new VectorPlan(LaneContent.Entries, Math.Min(lanes, Widest)));

    [Theory]
    [InlineData(1, 3, 4)]
    [InlineData(5, 16, 8)]
    [InlineData(9, 16, 16)]
    [InlineData(100, 16, 16)]
    public void For_ManyRowsOrTooFewEntries_PutsRowsIntoLanes(int batch, int outDim, int lanes) =>
        VectorPlan.For(batch, outDim).Should().Be(new VectorPlan(LaneContent.Rows, Math.Min(lanes, Widest)));
}
