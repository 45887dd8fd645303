using Capsules;
using Capsules.Tests;
using Capsules.Tests.Routing;
using static TorchSharp.torch;

namespace MyNetwork;

public class SharpenedRoutingTests : RoutingContract
{
    internal override Routing Make(long inDim, long outCapsules, long outDim) => (Routing)new SharpenedRouting().to(float64);

    internal override bool IsLazy => true;

    [Fact]
    public void SharpenedRouting_OneInputCapsule_CouplesWithTheSquaresOfItsVotes()
    {
        using var scope = NewDisposeScope();
        var votes = new GivenVotes(tensor(new[,,,] { { { { 3.0, 4 }, { 0, 1 } } } }));
        var c = Make(2, 2, 2).Route(votes, coupling: true).Coupling!;
        c.ShouldBeClose(nn.functional.softmax(tensor(new[,,] { { { 25 / 26.0 * 5, 0.5 } } }), -1), 1e-12);
    }
}
