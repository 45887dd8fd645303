using static TorchSharp.torch;

namespace Capsules.Tests.Routing;

public class SelfRoutingTests : RoutingContract
{
    internal override Capsules.Routing Make(long inDim, long outCapsules, long outDim) => new SelfRouting(1, inDim, outCapsules, dtype: float64);

    internal override Capsules.Routing MakeUntied(long inCapsules, long inDim, long outCapsules, long outDim) =>
        new SelfRouting(inCapsules, inDim, outCapsules, dtype: float64);

    internal override bool IsLazy => true;

    [Theory]
    [InlineData(6)]
    [InlineData(2)]
    public void SelfRouting_OwnWeights_DecideCapsuleByCapsule(long groups)
    {
        using var scope = NewDisposeScope();
        using var routing = new SelfRouting(groups, 4, 3, dtype: float64);
        var (w, b) = (randn([groups, 4, 3], float64), randn([groups, 3], float64));
        routing.load_state_dict(new Dictionary<string, Tensor> { ["weight"] = w, ["bias"] = b });
        var (u, transform, a) = (randn([2, 6, 4], float64), randn([6, 3, 4, 5], float64), rand([2, 6], float64));

        var result = routing.Route(new LinearVotes(u, transform), activations: a, coupling: true);

        for (var s = 0; s < 2; s++)
        {
            var poses = zeros([3, 5], float64);
            var (shares, total) = (zeros([3], float64), 0.0);
            for (var i = 0; i < 6; i++)
            {
                var g = i / (6 / groups);
                var r = nn.functional.softmax(u[s, i].unsqueeze(0).mm(w[g]).squeeze(0) + b[g], dim: 0);
                result.Coupling![s, i].ShouldBeClose(r, 1e-12);
                shares = shares + a[s, i] * r;
                total += a[s, i].item<double>();
                poses = poses + (a[s, i] * r).unsqueeze(1) * einsum("d,jde->je", u[s, i], transform[i]);
            }

            result.Activations![s].ShouldBeClose(shares / total, 1e-12);
            result.Capsules[s].ShouldBeClose(poses / shares.unsqueeze(1), 1e-12);
        }
    }

    [Fact]
    public void SelfRouting_New_CouplesAllAlike()
    {
        using var scope = NewDisposeScope();
        using var routing = new SelfRouting(4, 3, 5);
        var result = routing.Route(new LinearVotes(randn(2, 4, 3), randn(4, 5, 3, 2)), coupling: true);
        result.Coupling!.ShouldBeClose(ones(2, 4, 5) * 0.2, 1e-6);
        result.Activations!.ShouldBeClose(ones(2, 5) * 0.2, 1e-6);
        routing.state_dict().ToDictionary(p => p.Key, p => p.Value.shape).Should().BeEquivalentTo(
            new Dictionary<string, long[]> { ["weight"] = [4, 3, 5], ["bias"] = [4, 5] });
    }

    [Fact]
    public void SelfRouting_VotesWithoutInputs_Throws()
    {
        using var scope = NewDisposeScope();
        using var routing = new SelfRouting(3, 4, 2, dtype: float64);
        var act = () => routing.Route(new GivenVotes(Examples.U2()));
        act.Should().Throw<ArgumentException>().WithMessage(
            "SelfRouting expected input capsules of shape (B, N, D) = (*, 3 or a multiple, 4), but the votes do not know theirs. Make it with the sizes of its layer.*");
    }

    [Fact]
    public void SelfRouting_OtherSizes_ThrowsInWords()
    {
        using var scope = NewDisposeScope();
        using var routing = new SelfRouting(4, 4, 2);
        ((Action)(() => routing.Route(new LinearVotes(randn(1, 6, 4), randn(6, 2, 4, 3))))).Should().Throw<ArgumentException>()
            .WithMessage("SelfRouting expected input capsules of shape (B, N, D) = (*, 4 or a multiple, 4), but got (1, 6, 4).*");
        ((Action)(() => routing.Route(new LinearVotes(randn(1, 4, 4), randn(4, 3, 4, 3))))).Should().Throw<ArgumentException>()
            .WithMessage("SelfRouting was made for 2 output capsules, but the votes are for 3. Make it with the sizes of its layer.*");
        ((Action)(() => routing.Route(new LinearVotes(randn([1, 4, 4], float64), randn([4, 2, 4, 3], float64))))).Should().Throw<ArgumentException>()
            .WithMessage("SelfRouting computes in Float64, as the votes, but weight is Float32. Convert it with weight.to(torch.ScalarType.Float64). (Parameter 'weight')");
    }
}
