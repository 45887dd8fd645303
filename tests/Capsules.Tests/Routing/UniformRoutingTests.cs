using static TorchSharp.torch;

namespace Capsules.Tests.Routing;

public class UniformRoutingTests : RoutingContract
{
    internal override Capsules.Routing Make(long inDim, long outCapsules, long outDim) => new UniformRouting();

    internal override bool IsLazy => true;

    [Fact]
    public void UniformRouting_WorkedExample_GivesItsCapsules()
    {
        using var scope = NewDisposeScope();
        var v = new UniformRouting().Route(new GivenVotes(Examples.U2())).Capsules;
        v.ShouldBeClose(tensor(new[,,] { { { .36, 0 }, { -.01746, .02619 } } }), 1e-5);
    }

    [Fact]
    public void UniformRouting_WithBias_IsDynamicRoutingWithoutIterations()
    {
        using var scope = NewDisposeScope();
        var (votes, bias) = (new GivenVotes(randn([2, 5, 3, 4], float64)), randn([3, 4], float64));
        var (uniform, dynamic) = (new UniformRouting().Route(votes, bias, coupling: true), new DynamicRouting(0).Route(votes, bias, coupling: true));
        uniform.Capsules.ShouldBeClose(dynamic.Capsules, 1e-12);
        uniform.Coupling!.ShouldBeClose(dynamic.Coupling!, 1e-12);
    }
}
