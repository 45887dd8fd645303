using static TorchSharp.torch;

namespace Capsules.Tests.Routing;

/// <summary>Masks as votes know them; that every algorithm obeys them is in <see cref="RoutingContract"/>.</summary>
public class MaskTests
{
    private static Tensor Mask() => tensor(new[,] { { true, false, true }, { false, true, true } });

    private static Votes[] Kinds(Tensor u, Tensor? mask) =>
    [
        new LinearVotes(u, ones([3, 2, 4, 4], float64), mask),
        new MatrixVotes(u, ones([3, 2, 2, 2], float64), mask),
        new GivenVotes(ones([2, 3, 2, 4], float64) * u.sum(-1).reshape(2, 3, 1, 1), mask),
    ];

    [Fact]
    public void Votes_Masked_AreZeroWhateverAbsentCapsulesHold()
    {
        using var scope = NewDisposeScope();
        var u = where(Mask().unsqueeze(-1), randn([2, 3, 4], float64), full(1, double.NaN, float64));
        foreach (var votes in Kinds(u, Mask()))
        {
            var built = votes.Materialize();
            built.ShouldBeFinite();
            built.abs().sum([2, 3]).gt(0).Equals(Mask()).Should().BeTrue(votes.GetType().Name);
            votes.Sum().ShouldBeClose(built.sum(1), 1e-12);
            votes.Agreement(ones([2, 2, 4], float64)).ShouldBeClose(built.sum(-1), 1e-12);
            votes.WeightedSum(ones([2, 3, 2], float64)).ShouldBeClose(built.sum(1), 1e-12);
        }
    }

    [Fact]
    public void Votes_Weights_AreActivationsOrOnesAndZeroForTheAbsent()
    {
        using var scope = NewDisposeScope();
        var votes = new GivenVotes(zeros([2, 3, 2, 4], float64), Mask());
        votes.Weights().ToDoubles().Should().Equal(1, 0, 1, 0, 1, 1);
        votes.Weights(tensor(new[,] { { .5, double.NaN, .25 }, { 1, .75, 0 } })).ToDoubles().Should().Equal(.5, 0, .25, 0, .75, 0);
        new GivenVotes(zeros([2, 3, 2, 4])).Weights().ToDoubles().Should().OnlyContain(w => w == 1);
    }

    [Fact]
    public void Votes_MaskOfAnotherShapeOrDtype_Throws()
    {
        using var scope = NewDisposeScope();
        var u = zeros([2, 3, 4], float64);
        ((Action)(() => Kinds(u, ones([2, 4], @bool)))).Should().Throw<ArgumentException>()
            .WithMessage("LinearVotes expected mask of shape (B, N) = (2, 3), but got (2, 4).*");
        ((Action)(() => Kinds(u, ones(2, 3)))).Should().Throw<ArgumentException>()
            .WithMessage("Votes expected mask of dtype Bool, but got Float32. Convert it with mask.to(torch.@bool).*");
        ((Action)(() => Kinds(u, ones([6], @bool)))).Should().Throw<ArgumentException>()
            .WithMessage("Votes expected mask of shape (B, N) = (*, *), but got (6).*");
    }

    [Fact]
    public void Votes_OperandsThatDoNotFit_AreNamedBeforeTorchSeesThem()
    {
        using var scope = NewDisposeScope();
        foreach (var votes in Kinds(randn([2, 3, 4], float64), Mask()))
        {
            var name = votes.GetType().Name;
            Fail(() => votes.WeightedSum(zeros(2, 3, 2)), $"{name} computes in Float64, as the votes, but coupling is Float32. Convert it with coupling.to(torch.ScalarType.Float64).*");
            Fail(() => votes.WeightedSum(zeros([3, 2], float64)), $"{name} expected coupling of shape (B, N, J) = (2, 3, 2), but got (3, 2).*");
            Fail(() => votes.Agreement(zeros([2, 2, 4], int64)), $"{name} expected outputs of a floating-point dtype, but got Int64.*");
            Fail(() => votes.Agreement(zeros([2, 4, 2], float64)), $"{name} expected outputs of shape (B, J, E) = (2, 2, 4), but got (2, 4, 2).*");
            Fail(() => votes.Agreement(zeros([2, 2, 4], float64, META)), $"{name} expected outputs on cpu, as the votes, but got it on meta.*");
            Fail(() => votes.Weights(zeros([3], float64)), $"{name} expected activations of shape (B, N) = (2, 3), but got (3).*");
            Fail(() => votes.Present(zeros([2, 4, 2], float64)), $"{name} expected rows of shape (B, N, ...) = (2, 3, *), but got (2, 4, 2).*");
        }

        static void Fail(Action act, string message) => act.Should().Throw<ArgumentException>().WithMessage(message);
    }

    [Fact]
    public void Votes_HalfOperands_AreWidened()
    {
        using var scope = NewDisposeScope();
        var (c, v) = (rand([2, 3, 2]).to(bfloat16), randn([2, 2, 4]).to(bfloat16));
        var u = randn([2, 3, 4]);
        foreach (var votes in new Votes[] { new LinearVotes(u, ones([3, 2, 4, 4])), new MatrixVotes(u, ones([3, 2, 2, 2])), new GivenVotes(randn([2, 3, 2, 4])) })
        {
            votes.WeightedSum(c).ShouldBeClose(votes.WeightedSum(c.to(float32)), 0);
            votes.Agreement(v).ShouldBeClose(votes.Agreement(v.to(float32)), 0);
        }
    }

    [Fact]
    public void SequenceMask_Counts_KeepTheFirstCapsules()
    {
        using var scope = NewDisposeScope();
        Capsules.Functional.sequence_mask(tensor([2L, 0, 3]), 3).Equals(
            tensor(new[,] { { true, true, false }, { false, false, false }, { true, true, true } })).Should().BeTrue();
    }

    [Fact]
    public void SequenceMask_CountsOutOfRangeOrOfAnotherKind_Throw()
    {
        using var scope = NewDisposeScope();
        ((Action)(() => Capsules.Functional.sequence_mask(tensor([4L]), 3))).Should().Throw<ArgumentException>()
            .WithMessage("sequence_mask expected counts in [0, 3], for 3 capsules, but got values from 4 to 4.*");
        ((Action)(() => Capsules.Functional.sequence_mask(tensor([1f]), 3))).Should().Throw<ArgumentException>()
            .WithMessage("sequence_mask expected counts of dtype Int64, but got Float32. Convert them with counts.to(torch.int64).*");
    }

    // Logits of a padded sample, or minus infinity throughout a row: an absent capsule has no say.
    [Theory]
    [InlineData(RoutingKernel.Fused)]
    [InlineData(RoutingKernel.Reference)]
    [InlineData(null)]
    public void Route_LogitsOfAbsentCapsules_AreNotLookedAt(RoutingKernel? kernel)
    {
        using var scope = NewDisposeScope();
        Capsules.Routing routing = kernel is { } k ? new DynamicRouting(kernel: k) : new SelfAttentionRouting();
        var votes = new LinearVotes(randn(2, 3, 4), randn(3, 5, 4, 6), Mask());
        var logits = randn(2, 3, 5);
        var blank = where(Mask().unsqueeze(-1), logits, full(1, float.NegativeInfinity)).requires_grad_();
        var expected = routing.Route(votes, logits: logits).Capsules;
        var actual = routing.Route(votes, logits: blank).Capsules;
        actual.ShouldBeClose(expected, 1e-6);
        actual.sum().backward();
        blank.grad!.ShouldBeFinite();
    }

    [Fact]
    public void LinearVotes_MaskedOnTheFusedKernel_AreAsInTheReference()
    {
        using var scope = NewDisposeScope();
        var (u, w, mask) = (randn(2, 6, 4), randn(6, 3, 4, 5), rand(2, 6).gt(0.4));
        var fused = new DynamicRouting(kernel: RoutingKernel.Fused).Route(new LinearVotes(u, w, mask)).Capsules;
        var reference = new DynamicRouting(kernel: RoutingKernel.Reference).Route(new LinearVotes(u, w, mask)).Capsules;
        fused.ShouldBeClose(reference, 1e-5);
    }

    [Fact]
    public void RoutingResult_InTwoVariables_GivesLengthsWhereThereAreNoActivations()
    {
        using var scope = NewDisposeScope();
        var (capsules, activations) = (tensor(new[,,] { { { 3.0, 4 } } }), tensor(new[,] { { .5 } }));
        var (_, lengths) = new RoutingResult(capsules);
        lengths.ToDoubles().Should().Equal(5);
        var (_, own) = new RoutingResult(capsules, activations);
        own.ToDoubles().Should().Equal(.5);
    }
}
