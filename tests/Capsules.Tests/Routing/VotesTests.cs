using static TorchSharp.torch;

namespace Capsules.Tests.Routing;

public class VotesTests
{
    // u (2, 6, 4) through one matrix each, or one for every 3 or all 6 input capsules.
    private static (Tensor U, Tensor W) Example(long groups) =>
        (randn([2, 6, 4], float64).requires_grad_(), randn([groups, 3, 4, 5], float64).requires_grad_());

    [Theory]
    [InlineData(6)]
    [InlineData(2)]
    [InlineData(1)]
    public void LinearVotes_Materialized_AreInputTimesMatrix(long groups)
    {
        using var scope = NewDisposeScope();
        var (u, w) = Example(groups);
        var votes = new LinearVotes(u, w).Materialize();
        votes.shape.Should().Equal(2, 6, 3, 5);
        for (var i = 0; i < 6; i++)
        {
            for (var j = 0; j < 3; j++)
            {
                votes.select(1, i).select(1, j).ShouldBeClose(u.select(1, i).matmul(w[i / (6 / groups), j]), 1e-12);
            }
        }
    }

    [Theory]
    [InlineData(6)]
    [InlineData(2)]
    [InlineData(1)]
    public void LinearVotes_LazyOperations_AreThoseOfTheBuiltVotes(long groups)
    {
        using var scope = NewDisposeScope();
        var (u, w) = Example(groups);
        var (lazy, built) = (new LinearVotes(u, w), new GivenVotes(new LinearVotes(u, w).Materialize()));
        var (c, v) = (rand([2, 6, 3], float64), randn([2, 3, 5], float64));
        lazy.Sum().ShouldBeClose(built.Sum(), 1e-12);
        lazy.WeightedSum(c).ShouldBeClose(built.WeightedSum(c), 1e-12);
        lazy.Agreement(v).ShouldBeClose(built.Agreement(v), 1e-12);
        (lazy.Batch, lazy.InCapsules, lazy.OutCapsules, lazy.OutDim).Should().Be((built.Batch, built.InCapsules, built.OutCapsules, built.OutDim));
    }

    [Theory]
    [InlineData(6)]
    [InlineData(2)]
    public void LinearVotes_EveryOperation_MatchesFiniteDifferences(long groups)
    {
        using var scope = NewDisposeScope();
        var (u, w) = Example(groups);
        var c = rand([2, 6, 3], float64).requires_grad_();
        var v = randn([2, 3, 5], float64).requires_grad_();
        GradientCheck.Verify(() => new LinearVotes(u, w).Sum(), u, w);
        GradientCheck.Verify(() => new LinearVotes(u, w).WeightedSum(c), u, w, c);
        GradientCheck.Verify(() => new LinearVotes(u, w).Agreement(v), u, w, v);
        GradientCheck.Verify(() => new LinearVotes(u, w).Materialize(), u, w);
    }

    [Fact]
    public void LinearVotes_BFloat16_ComputesInFloat32()
    {
        using var scope = NewDisposeScope();
        var (u, w) = (randn(2, 500, 8).to(bfloat16), randn(500, 3, 8, 4).to(bfloat16));
        var votes = new LinearVotes(u, w);
        votes.Dtype.Should().Be(ScalarType.Float32);
        votes.Sum().ShouldBeClose(new LinearVotes(u.to(float64), w.to(float64)).Sum(), 1e-4);
    }

    [Fact]
    public void LinearVotes_GroupsThatDoNotDivide_Throws()
    {
        using var scope = NewDisposeScope();
        var act = () => new LinearVotes(rand(2, 6, 4), rand(4, 3, 4, 5));
        act.Should().Throw<ArgumentException>().WithMessage("LinearVotes expected weight for as many groups as divide the 6 input capsules, but got (4, 3, 4, 5) with 4 groups.*");
    }

    [Fact]
    public void LinearVotes_OtherInputDim_ThrowsWithBothShapes()
    {
        using var scope = NewDisposeScope();
        var act = () => new LinearVotes(rand(2, 6, 3), rand(6, 3, 4, 5));
        act.Should().Throw<ArgumentException>().WithMessage("LinearVotes expected input of shape (B, N, D) = (*, *, 4), but got (2, 6, 3).*");
    }
}
