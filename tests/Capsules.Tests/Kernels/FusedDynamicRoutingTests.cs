using static TorchSharp.torch;

namespace Capsules.Tests.Kernels;

// Each test opens its own scope: a scope belongs to the thread that made it, and a test's constructor may run on another.
public class FusedDynamicRoutingTests
{
    /// <summary>Whether entries lie in the lanes, else rows: both ways of the kernel, which chooses by batch and machine.</summary>
    public static TheoryData<bool> LaneContents { get; } = [false, true];

    // Four lanes: five entries, as these tests have, then need a chunk that overlaps another.
    private static VectorPlan Plan(bool entries) => new(entries ? LaneContent.Entries : LaneContent.Rows, 4);

    [Fact]
    public void Apply_AnyShapeAndOptions_AgreesWithDoubleTwinInValuesAndGradients() =>
        RoutingCase.ForAny(count: 300, seed: 20171026, routing => routing.ShouldAgreeWithTwin(routing.Fused, ScalarType.Float32, 1e-5));

    [Theory]
    [InlineData(100, 1152, 10, 8, 16)]
    [InlineData(1, 1152, 10, 8, 16)]
    [InlineData(2, 300, 10, 8, 10)]
    [InlineData(1, 40, 100, 8, 21)]
    [InlineData(33, 70, 100, 8, 16)]
    [InlineData(530, 8, 10, 8, 16)]
    [InlineData(2, 9216, 10, 8, 16)]
    [InlineData(3, 5, 1000, 8, 16)]
    [InlineData(300, 3, 67, 5, 64)]
    public void Apply_RealisticShape_AgreesWithDoubleTwin(int b, int n, int j, int d, int e)
    {
        using var scope = NewDisposeScope();
        var routing = new RoutingCase(b, n, 1, d, j, e, 3, Bias: false, LogitsDims: 0, Leaky: false, ThroughAll: true, VectorPlan.For(b, j, e), Seed: 1);
        var inputs = routing.Inputs();
        inputs[1].mul_(0.2);
        routing.ShouldAgreeWithTwin(routing.Fused, ScalarType.Float32, 1e-5, inputs);
    }

    // Two threads with fewer input capsules than that, and with too few groups of shared weights for each to have its own.
    [Theory]
    [InlineData(1, 1, 1, 64, 64, 64)]
    [InlineData(2, 2, 50, 8, 16, 16)]
    [InlineData(2, 1, 100, 8, 33, 13)]
    public void Apply_EntriesInLanesOverFewCapsulesOrGroups_AgreesWithDoubleTwin(int b, int groups, int groupSize, int d, int j, int e)
    {
        foreach (var plan in RoutingCase.PlansFor(e).Where(plan => plan.Content == LaneContent.Entries))
        {
            var routing = new RoutingCase(b, groups, groupSize, d, j, e, 3, Bias: true, LogitsDims: 2, Leaky: true, ThroughAll: true, plan, Seed: 2);
            routing.ShouldAgreeWithTwin(routing.Fused, ScalarType.Float32, 1e-5);
        }
    }

    [Fact]
    public void Apply_BFloat16_AgreesWithDoubleTwin() =>
        RoutingCase.ForAny(count: 40, seed: 7, routing => routing.ShouldAgreeWithTwin(routing.Fused, ScalarType.BFloat16, 1e-2));

    // Votes u_hat[i, j] given directly: one input dimension of value 1. Computed from the formulas in double precision.
    [Theory]
    [InlineData(1, new[] { 0.36, 0, -0.01746, 0.02619 })]
    [InlineData(2, new[] { 0.40102, -0.001151, -0.016153, 0.02452 })]
    [InlineData(3, new[] { 0.443575, -0.00235, -0.01464, 0.022471 })]
    public void Apply_KnownVotes_GivesKnownCapsules(int iterations, double[] expected)
    {
        using var scope = NewDisposeScope();
        var votes = tensor(new[] { .5f, 0, 0, .5f, .4f, .1f, -.3f, .2f, .6f, -.1f, .1f, -.4f }).reshape(3, 2, 1, 2);
        var capsules = FusedDynamicRouting.Apply(ones(1, 3, 1), votes, null, null, iterations, leaky: false, gradientThroughAll: true);
        capsules.shape.Should().Equal(1, 2, 2);
        capsules.data<float>().ToArray().Select(x => (double)x).Should().Equal(expected, (a, b) => Math.Abs(a - b) < 1e-5);
    }

    [Theory]
    [MemberData(nameof(LaneContents))]
    public void Apply_ZeroInputs_GivesZeroCapsulesAndFiniteGradients(bool entries)
    {
        using var scope = NewDisposeScope();
        var u = zeros(5, 6, 4).requires_grad_(true);
        var weight = randn(6, 3, 4, 5).requires_grad_(true);
        var v = FusedDynamicRouting.Apply(u, weight, null, null, 3, leaky: false, gradientThroughAll: true, Plan(entries));
        v.backward([ones_like(v)]);
        v.abs().max().item<float>().Should().Be(0);
        u.grad!.abs().max().item<float>().Should().Be(0);
        weight.grad!.abs().max().item<float>().Should().Be(0);
    }

    [Theory]
    [MemberData(nameof(LaneContents))]
    public void Apply_EqualOutputCapsules_CouplesUniformly(bool entries)
    {
        using var scope = NewDisposeScope();
        var weight = randn(6, 1, 4, 5).expand(6, 3, 4, 5);
        var u = randn(5, 6, 4);
        var routed = FusedDynamicRouting.Apply(u, weight, null, null, 4, leaky: false, gradientThroughAll: true, Plan(entries));
        var uniform = FusedDynamicRouting.Apply(u, weight, null, null, 0, leaky: false, gradientThroughAll: true, Plan(entries));
        RoutingCase.RelativeError(routed, uniform).Should().BeLessThan(1e-6);
    }

    [Theory]
    [InlineData(1e4, false)]
    [InlineData(1e30, false)]
    [InlineData(1e4, true)]
    [InlineData(1e30, true)]
    public void Apply_LargeLogits_AgreesWithTwin(double size, bool entries)
    {
        using var scope = NewDisposeScope();
        var u = randn(5, 6, 4);
        var weight = randn(6, 3, 4, 5);
        var logits = randn(6, 3) * size;
        var actual = FusedDynamicRouting.Apply(u, weight, null, logits, 3, leaky: true, gradientThroughAll: true, Plan(entries));
        var expected = new DynamicRouting(3, leaky: true, kernel: RoutingKernel.Reference).Route(new LinearVotes(u, weight), logits: logits).Capsules;
        RoutingCase.RelativeError(actual, expected).Should().BeLessThan(1e-5);
    }

    [Theory]
    [MemberData(nameof(LaneContents))]
    public void Apply_MaskedLogits_LeavesMaskedCapsulesOut(bool entries)
    {
        using var scope = NewDisposeScope();
        var u = randn(5, 6, 4);
        var weight = randn(6, 3, 4, 5);
        var logits = zeros(6, 3);
        logits[TensorIndex.Ellipsis, 1] = float.NegativeInfinity;
        var v = FusedDynamicRouting.Apply(u, weight, null, logits, 3, leaky: false, gradientThroughAll: true, Plan(entries));
        v.select(1, 1).abs().max().item<float>().Should().Be(0);
        v.isfinite().all().item<bool>().Should().BeTrue();
    }

    [Theory]
    [MemberData(nameof(LaneContents))]
    public void Apply_NaNInOneRow_GivesNaNInThatRowAlone(bool entries)
    {
        using var scope = NewDisposeScope();
        var u = randn(21, 6, 4);
        u[18, 2, 1] = float.NaN;
        u.requires_grad_(true);
        var weight = randn(6, 3, 4, 5).requires_grad_(true);
        var v = FusedDynamicRouting.Apply(u, weight, null, null, 3, leaky: false, gradientThroughAll: true, Plan(entries));
        v.backward([ones_like(v)]);
        foreach (var result in new[] { v.detach(), u.grad! })
        {
            var rows = result.isnan().reshape(21, -1).any(1);
            rows[18].item<bool>().Should().BeTrue();
            rows.sum().item<long>().Should().Be(1);
        }

        weight.grad!.isnan().any().item<bool>().Should().BeTrue();
    }

    [Fact]
    public void Apply_NonContiguousInputs_AgreesWithContiguous()
    {
        using var scope = NewDisposeScope();
        var u = randn(4, 9, 7).transpose(0, 1);
        var weight = randn(5, 3, 4, 7).permute(3, 1, 2, 0).narrow(3, 1, 4);
        u = u.transpose(1, 2);
        u.is_contiguous().Should().BeFalse();
        weight.is_contiguous().Should().BeFalse();
        var actual = FusedDynamicRouting.Apply(u, weight, null, null, 3, leaky: false, gradientThroughAll: true);
        var expected = FusedDynamicRouting.Apply(u.contiguous(), weight.contiguous(), null, null, 3, leaky: false, gradientThroughAll: true);
        actual.Equals(expected).Should().BeTrue();
    }

    [Fact]
    public void Apply_NonContiguousUpstreamGradient_AgreesWithContiguous()
    {
        using var scope = NewDisposeScope();
        var weight = randn(6, 3, 4, 5).requires_grad_(true);
        var v = FusedDynamicRouting.Apply(randn(5, 6, 4), weight, null, null, 3, leaky: false, gradientThroughAll: true);
        var upstream = randn(5, 3, 5).transpose(0, 2);
        var actual = autograd.grad([v], [weight], [upstream], retain_graph: true)[0];
        var expected = autograd.grad([v], [weight], [upstream.contiguous()])[0];
        actual.Equals(expected).Should().BeTrue();
    }

    [Fact]
    public void Apply_NoGrad_GivesSameValuesWithoutGraph()
    {
        using var scope = NewDisposeScope();
        var u = randn(5, 6, 4).requires_grad_(true);
        var weight = randn(6, 3, 4, 5);
        var tracked = FusedDynamicRouting.Apply(u, weight, null, null, 3, leaky: false, gradientThroughAll: true);
        using var off = no_grad();
        var plain = FusedDynamicRouting.Apply(u, weight, null, null, 3, leaky: false, gradientThroughAll: true);
        tracked.requires_grad.Should().BeTrue();
        plain.requires_grad.Should().BeFalse();
        plain.Equals(tracked).Should().BeTrue();
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, false)]
    [InlineData(0, true)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(3, true)]
    public void Apply_OneInputRequiresGradient_GivesThatGradientAlone(int which, bool entries)
    {
        using var scope = NewDisposeScope();
        var routing = new RoutingCase(5, 6, 1, 4, 3, 5, 3, Bias: true, LogitsDims: 3, Leaky: false, ThroughAll: true, Plan(entries), Seed: 3);
        var inputs = routing.Inputs();
        var expected = RoutingCase.OutputAndGradients(inputs, ScalarType.Float32, routing.Fused)[which + 1];
        var some = inputs.Select((input, i) => i == which ? input.detach().requires_grad_(true) : input).ToList();
        var output = routing.Fused(some);
        output.backward([Backward.Upstream(output)]);
        some[which].grad!.Equals(expected).Should().BeTrue();
        some.Where((_, i) => i != which).Should().OnlyContain(input => ReferenceEquals(input.grad, null));
    }

    [Fact]
    public void Apply_DoubleBackward_AgreesWithTwin()
    {
        using var scope = NewDisposeScope();
        var routing = new RoutingCase(3, 4, 1, 2, 3, 5, 3, Bias: true, LogitsDims: 2, Leaky: true, ThroughAll: true, new VectorPlan(LaneContent.Rows, 4), Seed: 5);
        var inputs = routing.Inputs();
        var actual = SecondOrder(routing.Fused);
        var expected = SecondOrder(routing.Twin);
        for (var i = 0; i < expected.Count; i++)
        {
            RoutingCase.RelativeError(actual[i], expected[i]).Should().BeLessThan(1e-4);
        }

        List<Tensor> SecondOrder(Func<IReadOnlyList<Tensor>, Tensor> apply)
        {
            var leaves = inputs.ConvertAll(input => input.detach().clone().requires_grad_(true));
            var first = autograd.grad([apply(leaves).pow(2).sum()], leaves, retain_graph: true, create_graph: true);
            var penalty = first.Select(gradient => gradient.pow(2).sum()).Aggregate((a, b) => a + b);
            return autograd.grad([penalty], leaves).ToList();
        }
    }

    [Theory]
    [MemberData(nameof(LaneContents))]
    public void Apply_RunTwice_GivesSameBits(bool entries)
    {
        // Large enough for two threads.
        using var scope = NewDisposeScope();
        var routing = new RoutingCase(37, 50, 1, 8, 10, 16, 3, Bias: true, LogitsDims: 2, Leaky: false, ThroughAll: true, Plan(entries), Seed: 9);
        var inputs = routing.Inputs();
        var first = RoutingCase.OutputAndGradients(inputs, ScalarType.Float32, routing.Fused);
        for (var run = 0; run < 5; run++)
        {
            var again = RoutingCase.OutputAndGradients(inputs, ScalarType.Float32, routing.Fused);
            again.Zip(first).Should().OnlyContain(pair => pair.First.Equals(pair.Second));
        }
    }

    [Fact]
    public void Apply_EveryLaneOfABatch_IsIndependentOfTheOthers()
    {
        using var scope = NewDisposeScope();
        var u = randn(19, 6, 4);
        var weight = randn(6, 3, 4, 5);
        var together = FusedDynamicRouting.Apply(u, weight, null, null, 3, leaky: false, gradientThroughAll: true);
        for (var row = 0; row < 19; row++)
        {
            var alone = FusedDynamicRouting.Apply(u.narrow(0, row, 1), weight, null, null, 3, leaky: false, gradientThroughAll: true);
            RoutingCase.RelativeError(alone, together.narrow(0, row, 1)).Should().BeLessThan(1e-6);
        }
    }

    [Fact]
    public void WhyNot_WhatTheKernelServes_IsNull() =>
        FusedDynamicRouting.WhyNot(zeros(2, 6, 4), zeros(3, 5, 4, 7), zeros(5, 7), zeros(6, 5)).Should().BeNull();

    [Fact]
    public void WhyNot_Float64_NamesTheDtype() =>
        FusedDynamicRouting.WhyNot(zeros(2, 6, 4, dtype: float64), zeros(6, 5, 4, 7), null, null)
            .Should().Be("The fused kernel serves float32 and bfloat16, but u is Float64.");

    [Fact]
    public void WhyNot_MixedDtypes_NamesBoth() =>
        FusedDynamicRouting.WhyNot(zeros(2, 6, 4), zeros(6, 5, 4, 7, dtype: bfloat16), null, null)
            .Should().Be("The fused kernel needs one dtype for all arguments, but u is Float32 and weight is BFloat16.");

    [Fact]
    public void WhyNot_OtherDevice_NamesTheDevice() =>
        FusedDynamicRouting.WhyNot(zeros(2, 6, 4, device: META), zeros(6, 5, 4, 7), null, null)
            .Should().StartWith("The fused kernel runs on the CPU and on CUDA GPUs, but u is on meta");

    [Fact]
    public void WhyNot_EmptyBatch_SaysSo() =>
        FusedDynamicRouting.WhyNot(zeros(0, 6, 4), zeros(6, 5, 4, 7), null, null)
            .Should().Be("The fused kernel needs at least one element in every dimension.");

    // One number seen as many: no memory.
    [Theory]
    [InlineData(1 << 30, 1, true)]
    [InlineData((1 << 30) + 1, 1, false)]
    [InlineData(1, 1 << 30, true)]
    [InlineData(1, (1 << 30) + 1, false)]
    public void WhyNot_MoreThanCountersHold_SaysSo(int batch, int inCapsules, bool served) =>
        FusedDynamicRouting.WhyNot(zeros(1).expand(batch, inCapsules, 1), zeros(1, 1, 1, 1), null, null)
            .Should().Be(served ? null : "The fused kernel counts rows, input capsules and the weights of one in 32 bits, and these are too many.");

    [Fact]
    public void Apply_LogitsForNoIteration_Throws() => FluentActions
        .Invoking(() => FusedDynamicRouting.Apply(zeros(2, 6, 4), zeros(6, 5, 4, 7), null, zeros(6, 5), 0, leaky: false, gradientThroughAll: true))
        .Should().Throw<ArgumentException>().WithParameterName("logits");

    [Fact]
    public void Apply_EntriesThatDoNotFillTheLanes_Throws()
    {
        using var scope = NewDisposeScope();
        var apply = () => FusedDynamicRouting.Apply(
            zeros(1, 6, 4), zeros(6, 5, 4, 7), null, null, 3, leaky: false, gradientThroughAll: true, new VectorPlan(LaneContent.Entries, 8));
        apply.Should().Throw<ArgumentException>().WithMessage("Output capsules of 7 entries do not fill 8 lanes.*");
    }

    [Fact]
    public void Apply_ShapesThatDoNotFit_ThrowsWithBothShapes()
    {
        using var scope = NewDisposeScope();
        var apply = () => FusedDynamicRouting.Apply(zeros(2, 6, 4), zeros(4, 5, 4, 7), null, null, 3, leaky: false, gradientThroughAll: true);
        apply.Should().Throw<ArgumentException>().WithMessage(
            "The fused kernel expects u (B, N, D) and weight (G, J, D, E) with N a multiple of G, but got (2, 6, 4) and (4, 5, 4, 7).");
    }
}
