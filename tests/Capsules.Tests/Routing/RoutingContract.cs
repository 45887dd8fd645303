using static TorchSharp.torch;

namespace Capsules.Tests.Routing;

/// <summary>What holds of every routing algorithm; an algorithm's test class derives from it and adds its own values.</summary>
public abstract class RoutingContract
{
    // Through LinearVotes, so that input capsules are known too. Finite differences want few numbers.
    private const int B = 3, N = 6, D = 2, J = 3, E = 4;

    /// <summary>The algorithm in float64 and, where it matters, in evaluation mode, for N input capsules sharing one set of weights.</summary>
    internal abstract Capsules.Routing Make(long inDim, long outCapsules, long outDim);

    /// <summary>The same with weights of its own for each of N input capsules, where it has any.</summary>
    internal virtual Capsules.Routing MakeUntied(long inCapsules, long inDim, long outCapsules, long outDim) => Make(inDim, outCapsules, outDim);

    /// <summary>Whether the algorithm gets by without the tensor of votes.</summary>
    internal abstract bool IsLazy { get; }

    /// <summary>What a row of the coupling coefficients sums to; null where that differs from row to row.</summary>
    internal virtual double? CouplingSum => 1;

    private sealed record Inputs(Tensor U, Tensor W, Tensor? Bias, Tensor? Activations);

    private static Inputs Draw(Capsules.Routing routing, double scale = 1) => new(
        (randn([B, N, D], float64) * scale).requires_grad_(),
        (randn([N, J, D, E], float64) / 2).requires_grad_(),
        routing.Uses.HasFlag(RoutingInputs.Bias) ? randn([J, E], float64).requires_grad_() : null,
        routing.Uses.HasFlag(RoutingInputs.Activations) ? (rand([B, N], float64) * 0.8 + 0.1).requires_grad_() : null);

    private static RoutingResult Run(Capsules.Routing routing, Inputs x, Tensor? mask = null, bool coupling = false) =>
        routing.Route(new LinearVotes(x.U, x.W, mask), x.Bias, activations: x.Activations, coupling: coupling);

    private Capsules.Routing Make() => Make(D, J, E);

    [Fact]
    public void Route_EveryInputAndParameter_MatchesFiniteDifferences()
    {
        using var scope = NewDisposeScope();
        var routing = Make();
        foreach (var parameter in routing.parameters())
        {
            using var noGrad = no_grad();
            parameter.add_(randn(parameter.shape, float64) * 0.3);      // away from zero and one, where initial values often are
        }

        var x = Draw(routing);
        GradientCheck.Verify(
            () =>
            {
                var result = Run(routing, x);
                return cat([result.Capsules.flatten(), .. result.Activations is { } a ? new[] { a.flatten() } : []]);
            },
            [.. new[] { x.U, x.W, x.Bias, x.Activations }.OfType<Tensor>(), .. routing.parameters()]);
    }

    [Fact]
    public void Route_PermutedInputCapsules_GivesTheSameOutputs()
    {
        using var scope = NewDisposeScope();
        var routing = Make();
        var x = Draw(routing);
        var order = randperm(N);
        var (first, second) = (Run(routing, x, coupling: true), Run(routing, Reordered(), coupling: true));
        second.Capsules.ShouldBeClose(first.Capsules, 1e-12);
        second.Coupling!.ShouldBeClose(first.Coupling!.index_select(1, order), 1e-12);
        if (first.Activations is { } activations)
        {
            second.Activations!.ShouldBeClose(activations, 1e-12);
        }

        Inputs Reordered() => x with
        {
            U = x.U.index_select(1, order),
            W = x.W.index_select(0, order),
            Activations = x.Activations?.index_select(1, order),
        };
    }

    [Fact]
    public void Route_SampleInABatch_RoutesAsItDoesAlone()
    {
        using var scope = NewDisposeScope();
        var routing = Make();
        var x = Draw(routing);
        var together = Run(routing, x);
        for (var b = 0; b < B; b++)
        {
            var alone = Run(routing, x with { U = x.U.narrow(0, b, 1), Activations = x.Activations?.narrow(0, b, 1) });
            alone.Capsules.ShouldBeClose(together.Capsules.narrow(0, b, 1), 1e-12);
            alone.Activations?.ShouldBeClose(together.Activations!.narrow(0, b, 1), 1e-12);
        }
    }

    // Each sample has other absent capsules, and they hold NaN: what is absent must not be looked at.
    [Fact]
    public void Route_MaskedCapsules_AreAsIfRemoved()
    {
        using var scope = NewDisposeScope();
        var routing = Make();
        var x = Draw(routing);
        var mask = tensor(new[,] { { true, true, true, true, true, true }, { true, false, true, true, false, true }, { false, false, false, true, true, false } });
        var padded = x with { U = where(mask.unsqueeze(-1), x.U, full(1, double.NaN, float64)), Activations = x.Activations is { } a ? where(mask, a, full(1, double.NaN, float64)) : null };
        var masked = Run(routing, padded, mask, coupling: true);
        for (var b = 0; b < B; b++)
        {
            var there = mask[b].nonzero().flatten();
            var removed = Run(routing, x with
            {
                U = x.U.narrow(0, b, 1).index_select(1, there),
                W = x.W.index_select(0, there),
                Activations = x.Activations?.narrow(0, b, 1).index_select(1, there),
            }, coupling: true);
            masked.Capsules.narrow(0, b, 1).ShouldBeClose(removed.Capsules, 1e-12, $"sample {b}");
            masked.Activations?.narrow(0, b, 1).ShouldBeClose(removed.Activations!, 1e-12, $"sample {b}");
            masked.Coupling!.narrow(0, b, 1).index_select(1, there).ShouldBeClose(removed.Coupling!, 1e-12, $"sample {b}");
            masked.Coupling![b].masked_select(mask[b].logical_not().unsqueeze(-1)).count_nonzero().item<long>().Should().Be(0);
        }

        masked.Capsules.sum().backward();
        x.U.grad!.ShouldBeFinite();
    }

    // A layer takes the lengths of its input capsules as activations, where the algorithm uses any: those of NaN have none.
    [Fact]
    public void Route_MaskedCapsulesOfALayer_GetNoGradientWhateverTheyHold()
    {
        using var scope = NewDisposeScope();
        using var layer = new CapsuleLayer(N, D, J, E, Make(), sharedPositions: N, dtype: float64);
        var mask = tensor(new[,] { { true, false, true, true, false, true } });
        var u = where(mask.unsqueeze(-1), randn([1, N, D], float64), full(1, double.NaN, float64)).requires_grad_();
        var result = layer.Route(u, mask: mask);
        (result.Capsules.sum() + (result.Activations is { } a ? (a * arange(J)).sum() : zeros(1, float64))).sum().backward();
        u.grad!.ne(0).any(dim: 2).logical_and(mask.logical_not()).any().item<bool>().Should().BeFalse("absent capsules get no gradient, and NaN is none");
        u.grad!.ShouldBeFinite();
    }

    [Fact]
    public void Route_NobodyThere_IsFinite()
    {
        using var scope = NewDisposeScope();
        var routing = Make();
        var x = Draw(routing);
        var result = Run(routing, x, zeros([B, N], ScalarType.Bool));
        ShouldBeFinite(result, x);
    }

    [Fact]
    public void Route_ZeroCapsules_IsFiniteWithFiniteGradient()
    {
        using var scope = NewDisposeScope();
        var routing = Make();
        var x = Draw(routing) with { U = zeros([B, N, D], float64).requires_grad_() };
        ShouldBeFinite(Run(routing, x), x);
    }

    [Theory]
    [InlineData(1e4)]
    [InlineData(1e-14)]
    [InlineData(1e-22)]
    public void Route_LargeOrTinyCapsulesInFloat32_IsFiniteWithFiniteGradient(double scale)
    {
        using var scope = NewDisposeScope();
        var routing = Make();
        routing.to(float32);
        var x = Draw(routing, scale);
        var bias = scale > 1 ? x.Bias : null;      // which would make outputs long
        x = new Inputs(Single(x.U)!, Single(x.W)!, Single(bias), Single(x.Activations));
        ShouldBeFinite(Run(routing, x), x);

        static Tensor? Single(Tensor? tensor) => tensor?.detach().to(float32).requires_grad_();
    }

    private static void ShouldBeFinite(RoutingResult result, Inputs x)
    {
        result.Capsules.ShouldBeFinite();
        result.Activations?.ShouldBeFinite();
        var sum = result.Activations is { } activations ? result.Capsules.sum() + activations.sum() : result.Capsules.sum();
        sum.backward();
        foreach (var tensor in new[] { x.U, x.W, x.Bias, x.Activations })
        {
            tensor?.grad?.ShouldBeFinite();
        }
    }

    [Fact]
    public void Route_Coupling_IsGivenWhenAskedFor()
    {
        using var scope = NewDisposeScope();
        var routing = Make();
        var x = Draw(routing);
        Run(routing, x).Coupling.Should().BeNull();
        var c = Run(routing, x, coupling: true).Coupling!;
        c.shape.Should().Equal(B, N, J);
        if (CouplingSum is { } sum)
        {
            c.sum(2).ShouldBeClose(ones([B, N], float64) * sum, 1e-12);
        }
    }

    [Fact]
    public void Route_LazyVotes_AreNeverBuilt()
    {
        using var scope = NewDisposeScope();
        var routing = Make();
        var x = Draw(routing);
        var votes = new WatchedVotes(new LinearVotes(x.U, x.W));
        routing.Route(votes, x.Bias, activations: x.Activations, coupling: true);
        votes.WereBuilt.Should().Be(!IsLazy);
    }

    [Fact]
    public void Route_ArgumentsItDoesNotUse_AreRefusedInWords()
    {
        using var scope = NewDisposeScope();
        var routing = Make();
        var name = routing.GetName();
        var votes = new LinearVotes(randn([B, N, D], float64), randn([N, J, D, E], float64));
        Refuse(RoutingInputs.Bias, () => routing.Route(votes, bias: zeros([J, E], float64)), "a bias");
        Refuse(RoutingInputs.Logits, () => routing.Route(votes, logits: zeros([N, J], float64)), "initial logits");
        Refuse(RoutingInputs.Activations, () => routing.Route(votes, activations: ones([B, N], float64)), "activations");

        void Refuse(RoutingInputs input, Action act, string what)
        {
            if (!routing.Uses.HasFlag(input))
            {
                act.Should().Throw<NotSupportedException>().WithMessage($"{name} does not use {what}. Pass none.");
            }
        }
    }

    [Fact]
    public void Route_ArgumentsThatDoNotFit_AreNamedWithBothShapes()
    {
        using var scope = NewDisposeScope();
        var routing = Make();
        var name = routing.GetName();
        var votes = new LinearVotes(randn([B, N, D], float64), randn([N, J, D, E], float64));
        Fail(RoutingInputs.Bias, () => routing.Route(votes, bias: zeros([E, J], float64)), $"{name} expected bias of shape (J, E) = ({J}, {E}), but got ({E}, {J}).*");
        Fail(RoutingInputs.Activations, () => routing.Route(votes, activations: ones([N], float64)), $"{name} expected activations of shape (B, N) = ({B}, {N}), but got ({N}).*");
        Fail(RoutingInputs.Activations, () => routing.Route(votes, activations: ones([B, N])),
            $"{name} computes in Float64, as the votes, but activations is Float32. Convert it with activations.to(torch.ScalarType.Float64).*");

        void Fail(RoutingInputs input, Action act, string message)
        {
            if (routing.Uses.HasFlag(input))
            {
                act.Should().Throw<ArgumentException>().WithMessage(message);
            }
        }
    }

    [Fact]
    public void Route_ForwardAndBackward_LeavesNoTensorBehind()
    {
        using var scope = NewDisposeScope();
        var routing = Make();
        var x = Draw(routing);
        Step();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Step();
        Step();
        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(before);

        void Step()
        {
            using var result = Run(routing, x, coupling: true);
            using var sum = result.Capsules.sum();
            sum.backward();
        }
    }

    [Fact]
    public void Route_InALayer_TrainsItsParametersAndMovesAlong()
    {
        using var scope = NewDisposeScope();
        using var layer = new CapsuleLayer(N, D, J, E, Make(), sharedPositions: N, dtype: float64);
        layer.to(float32);
        var result = layer.Route(randn(B, N, D) * 0.5);
        (result.Capsules.square().sum() + (result.Activations is { } a ? (a * arange(J)).sum() : zeros(1))).sum().backward();
        layer.parameters().Should().OnlyContain(p => p.dtype == ScalarType.Float32 && p.grad!.isfinite().all().item<bool>());
        layer.state_dict().Keys.Where(key => key.StartsWith("routing.", StringComparison.Ordinal)).Should()
            .BeEquivalentTo(Make().state_dict().Keys.Select(key => "routing." + key));
    }

    // Noisy patterns of long input capsules, one a class: 60 steps of Adam from the default initialisation.
    [Fact]
    public void Route_InALayer_LearnsASmallTask()
    {
        using var scope = NewDisposeScope();
        using var layer = new CapsuleLayer(32, 4, 4, 4, MakeUntied(32, 4, 4, 4), dtype: float64);
        layer.to(float32);
        layer.train();
        using var optimizer = optim.Adam(layer.parameters(), 0.02);
        var (patterns, labels) = (randn(4, 32, 4), arange(16) % 4);
        var accuracy = 0f;
        for (var step = 0; step < 60; step++)
        {
            using var inner = NewDisposeScope();
            var inputs = nn.functional.normalize(patterns.index_select(0, labels) + randn(16, 32, 4), dim: -1) * 0.9;
            optimizer.zero_grad();
            var scores = Scores(layer.Route(inputs));
            nn.functional.cross_entropy(scores, labels).backward();
            optimizer.step();
            accuracy = scores.argmax(1).eq(labels).to(float32).mean().item<float>();
        }

        accuracy.Should().BeGreaterThan(0.95f);
    }

    /// <summary>Class scores (B, J) of a result: what the algorithm's paper makes of its capsules.</summary>
    internal virtual Tensor Scores(RoutingResult result) =>
        result.Activations is { } activations ? (activations + 1e-9).log() : 10 * Capsules.Functional.length(result.Capsules);
}
