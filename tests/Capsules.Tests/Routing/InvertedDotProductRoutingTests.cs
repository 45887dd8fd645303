using static TorchSharp.torch;

namespace Capsules.Tests.Routing;

public class InvertedDotProductRoutingTests : RoutingContract
{
    internal override Capsules.Routing Make(long inDim, long outCapsules, long outDim) => new InvertedDotProductRouting(outDim, iterations: 3, dtype: float64);

    internal override bool IsLazy => true;

    // The paper's classifier is one linear layer for all classes; of normalised capsules, any fixed direction will do.
    internal override Tensor Scores(RoutingResult result) => result.Capsules.select(-1, 0);

    [Theory]
    [InlineData(1, new[] { 1.414157, -.707078, -.707078, -1.267313, .090522, 1.176791 })]
    [InlineData(2, new[] { 1.413453, -.745623, -.667831, -1.272646, .102638, 1.170007 })]
    public void InvertedDotProductRouting_WorkedExample_GivesItsCapsules(int iterations, double[] expected)
    {
        using var scope = NewDisposeScope();
        var p = new InvertedDotProductRouting(3, iterations, dtype: float64).Route(new GivenVotes(Examples.U3())).Capsules;
        p.ShouldBeClose(tensor(expected).reshape(1, 2, 3), 1e-5);
    }

    [Fact]
    public void InvertedDotProductRouting_WorkedExample_GivesItsCouplingCoefficients()
    {
        using var scope = NewDisposeScope();
        var c = new InvertedDotProductRouting(3, 2, dtype: float64).Route(new GivenVotes(Examples.U3()), coupling: true).Coupling!;
        c.ShouldBeClose(tensor(new[,] { { .591071, .408929 }, { .483412, .516588 }, { .570788, .429212 } }).unsqueeze(0), 1e-5);
    }

    [Fact]
    public void InvertedDotProductRouting_PassByPass_IsTheSame()
    {
        using var scope = NewDisposeScope();
        var (routing, votes) = (new InvertedDotProductRouting(4, 3, dtype: float64), new GivenVotes(randn([2, 5, 3, 4], float64)));
        var outputs = routing.Update(votes);
        outputs = routing.Update(votes, outputs);
        outputs = routing.Update(votes, outputs);
        routing.Route(votes).Capsules.ShouldBeClose(outputs, 1e-12);
    }

    [Fact]
    public void InvertedDotProductRouting_Dropout_ActsInTrainingAlone()
    {
        using var scope = NewDisposeScope();
        var (votes, plain) = (new GivenVotes(randn([2, 5, 3, 4])), new InvertedDotProductRouting(4));
        var routing = new InvertedDotProductRouting(4, dropout: 0.5);
        routing.Route(votes).Capsules.ToDoubles().Should().NotEqual(plain.Route(votes).Capsules.ToDoubles());
        routing.eval();
        routing.Route(votes).Capsules.ShouldBeClose(plain.Route(votes).Capsules, 1e-6);
    }

    [Fact]
    public void InvertedDotProductRouting_OtherSize_ThrowsInWords()
    {
        using var scope = NewDisposeScope();
        var act = () => new InvertedDotProductRouting(5, dtype: float64).Route(new GivenVotes(Examples.U3()));
        act.Should().Throw<ArgumentException>().WithMessage("InvertedDotProductRouting expected weight of shape (E) = (3), but got (5). Make the routing with the outDim of its layer.*");
    }

    [Fact]
    public void InvertedDotProductRouting_OtherOutputs_ThrowsInWords()
    {
        using var scope = NewDisposeScope();
        var act = () => new InvertedDotProductRouting(3, dtype: float64).Update(new GivenVotes(Examples.U3()), zeros([1, 3, 3], float64));
        act.Should().Throw<ArgumentException>().WithMessage("InvertedDotProductRouting expected outputs of shape (B, J, E) = (1, 2, 3), but got (1, 3, 3).*");
    }

    [Fact]
    public void InvertedDotProductRouting_OutputsOfAnotherDtype_ThrowsInWords()
    {
        using var scope = NewDisposeScope();
        var act = () => new InvertedDotProductRouting(3, dtype: float64).Update(new GivenVotes(Examples.U3()), zeros(1, 2, 3));
        act.Should().Throw<ArgumentException>().WithMessage("InvertedDotProductRouting computes in Float64, as the votes, but outputs is Float32. *");
    }

    [Theory]
    [InlineData(1, 2, 0)]
    [InlineData(4, 0, 0)]
    [InlineData(4, 2, 1)]
    public void InvertedDotProductRouting_ImpossibleNumbers_Throw(long outDim, int iterations, double dropout) =>
        ((Action)(() => new InvertedDotProductRouting(outDim, iterations, dropout))).Should().Throw<ArgumentOutOfRangeException>();
}
