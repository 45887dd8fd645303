using static TorchSharp.torch;

namespace Capsules.Tests.Routing;

public class MatrixVotesTests
{
    // Six poses of 3 x 3 through one matrix each, or one for every 3 or all 6.
    private static (Tensor M, Tensor W) Example(long groups) =>
        (randn([2, 6, 9], float64).requires_grad_(), randn([groups, 2, 3, 3], float64).requires_grad_());

    [Theory]
    [InlineData(6)]
    [InlineData(2)]
    [InlineData(1)]
    public void MatrixVotes_Materialized_ArePoseTimesMatrix(long groups)
    {
        using var scope = NewDisposeScope();
        var (m, w) = Example(groups);
        var votes = new MatrixVotes(m, w).Materialize();
        votes.shape.Should().Equal(2, 6, 2, 9);
        for (var b = 0; b < 2; b++)
        {
            for (var i = 0; i < 6; i++)
            {
                for (var j = 0; j < 2; j++)
                {
                    votes[b, i, j].ShouldBeClose(m[b, i].reshape(3, 3).mm(w[i / (6 / groups), j]).flatten(), 1e-12);
                }
            }
        }
    }

    [Theory]
    [InlineData(6)]
    [InlineData(2)]
    public void MatrixVotes_LazyOperations_AreThoseOfTheBuiltVotes(long groups)
    {
        using var scope = NewDisposeScope();
        var (m, w) = Example(groups);
        var (lazy, built) = (new MatrixVotes(m, w), new GivenVotes(new MatrixVotes(m, w).Materialize()));
        var (c, v) = (rand([2, 6, 2], float64), randn([2, 2, 9], float64));
        lazy.Sum().ShouldBeClose(built.Sum(), 1e-12);
        lazy.WeightedSum(c).ShouldBeClose(built.WeightedSum(c), 1e-12);
        lazy.Agreement(v).ShouldBeClose(built.Agreement(v), 1e-12);
        (lazy.Batch, lazy.InCapsules, lazy.OutCapsules, lazy.OutDim).Should().Be((built.Batch, built.InCapsules, built.OutCapsules, built.OutDim));
    }

    [Fact]
    public void MatrixVotes_EveryOperation_MatchesFiniteDifferences()
    {
        using var scope = NewDisposeScope();
        var (m, w) = (randn([2, 4, 4], float64).requires_grad_(), randn([2, 2, 2, 2], float64).requires_grad_());
        var c = rand([2, 4, 2], float64).requires_grad_();
        var v = randn([2, 2, 4], float64).requires_grad_();
        GradientCheck.Verify(() => new MatrixVotes(m, w).Sum(), m, w);
        GradientCheck.Verify(() => new MatrixVotes(m, w).WeightedSum(c), m, w, c);
        GradientCheck.Verify(() => new MatrixVotes(m, w).Agreement(v), m, w, v);
        GradientCheck.Verify(() => new MatrixVotes(m, w).Materialize(), m, w);
    }

    [Fact]
    public void MatrixVotes_BFloat16_ComputesInFloat32()
    {
        using var scope = NewDisposeScope();
        var (m, w) = (randn(2, 500, 16).to(bfloat16), randn(500, 3, 4, 4).to(bfloat16));
        var votes = new MatrixVotes(m, w);
        votes.Dtype.Should().Be(ScalarType.Float32);
        votes.Sum().ShouldBeClose(new MatrixVotes(m.to(float64), w.to(float64)).Sum(), 1e-4);
    }

    [Fact]
    public void MatrixVotes_PosesOfAnotherSize_ThrowsWithBothShapes()
    {
        using var scope = NewDisposeScope();
        ((Action)(() => new MatrixVotes(rand(2, 6, 8), rand(6, 2, 3, 3)))).Should().Throw<ArgumentException>()
            .WithMessage("MatrixVotes expected input of shape (B, N, P * P) = (*, *, 9), but got (2, 6, 8).*");
        ((Action)(() => new MatrixVotes(rand(2, 6, 9), rand(6, 2, 3, 4)))).Should().Throw<ArgumentException>()
            .WithMessage("MatrixVotes expected weight of shape (G, J, P, P) = (*, *, 3, 3), but got (6, 2, 3, 4).*");
        ((Action)(() => new MatrixVotes(rand(2, 6, 9), rand(4, 2, 3, 3)))).Should().Throw<ArgumentException>()
            .WithMessage("MatrixVotes expected weight for as many groups as divide the 6 input capsules, but got (4, 2, 3, 3) with 4 groups.*");
    }
}
