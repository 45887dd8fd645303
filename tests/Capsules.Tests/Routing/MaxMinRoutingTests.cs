using static TorchSharp.torch;

namespace Capsules.Tests.Routing;

public class MaxMinRoutingTests : RoutingContract
{
    internal override Capsules.Routing Make(long inDim, long outCapsules, long outDim) => new MaxMinRouting();

    internal override bool IsLazy => true;

    internal override double? CouplingSum => null;

    // One line per line of the procedure, with logits that accumulate.
    private static (Tensor V, Tensor C) Plain(Tensor votes, int iterations, Tensor? bias, double lower, double upper)
    {
        var (b, c) = (zeros(votes.shape[..3], float64), ones(votes.shape[..3], float64) * upper);
        for (var t = 1; ; t++)
        {
            var s = (c.unsqueeze(-1) * votes).sum(1);
            s = bias is null ? s : s + bias;
            var squares = s.square().sum(-1, keepdim: true);
            var v = squares / (1 + squares) * s / squares.sqrt();
            if (t == iterations)
            {
                return (v, c);
            }

            b = b + (votes * v.unsqueeze(1)).sum(-1);
            var (max, min) = (b.amax([-1], keepdim: true), b.amin([-1], keepdim: true));
            c = lower + (upper - lower) * (b - min) / (max - min);
        }
    }

    [Theory]
    [InlineData(1, 0, 1)]
    [InlineData(2, 0, 1)]
    [InlineData(3, 0.1, 0.7)]
    public void MaxMinRouting_BiasAndBounds_IsTheProcedureStepByStep(int iterations, double lower, double upper)
    {
        using var scope = NewDisposeScope();
        var (votes, bias) = (randn([2, 5, 3, 4], float64), randn([3, 4], float64));
        foreach (var given in new[] { null, bias })
        {
            var result = new MaxMinRouting(iterations, lower, upper).Route(new GivenVotes(votes), given, coupling: true);
            var (v, c) = Plain(votes, iterations, given, lower, upper);
            result.Capsules.ShouldBeClose(v, 1e-12);
            result.Coupling!.ShouldBeClose(c, 1e-12);
        }
    }

    [Fact]
    public void MaxMinRouting_Coupling_SpansTheBoundsInEveryRow()
    {
        using var scope = NewDisposeScope();
        var c = new MaxMinRouting(3, 0.2, 0.9).Route(new GivenVotes(randn([2, 6, 4, 3], float64)), coupling: true).Coupling!;
        c.amin([-1]).ShouldBeClose(ones([2, 6], float64) * 0.2, 1e-12);
        c.amax([-1]).ShouldBeClose(ones([2, 6], float64) * 0.9, 1e-12);
    }

    // Squashed outputs of long votes have length 1, so logits grow as votes do. A softmax would be all 0 and 1 by then.
    [Fact]
    public void MaxMinRouting_LongerVotes_CoupleAlike()
    {
        using var scope = NewDisposeScope();
        var votes = randn([1, 6, 4, 3], float64);
        var (c, longer) = (Couple(new MaxMinRouting(2), 1e3), Couple(new MaxMinRouting(2), 1e5));
        longer.ShouldBeClose(c, 1e-4);
        Between(longer).Should().Be(6 * 2, "of four outputs one is least and one is largest");
        Between(Couple(new DynamicRouting(2), 1e5)).Should().Be(0);

        Tensor Couple(Capsules.Routing routing, double scale) => routing.Route(new GivenVotes(votes * scale), coupling: true).Coupling!;

        static int Between(Tensor coupling) => coupling.ToDoubles().Count(x => x is > 1e-6 and < 1 - 1e-6);
    }

    [Fact]
    public void MaxMinRouting_BoundsInTheWrongOrder_Throws() =>
        ((Action)(() => new MaxMinRouting(3, 1, 1))).Should().Throw<ArgumentOutOfRangeException>()
            .WithMessage("MaxMinRouting expected finite bounds with lower < upper, but got 1 and 1.*");

    [Fact]
    public void MaxMinRouting_NoIterations_Throws() => ((Action)(() => new MaxMinRouting(0))).Should().Throw<ArgumentOutOfRangeException>();
}
