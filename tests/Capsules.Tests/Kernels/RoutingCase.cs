using FsCheck;
using FsCheck.Fluent;
using static TorchSharp.torch;

namespace Capsules.Tests.Kernels;

/// <summary>Sizes and options of one routing call, drawn at random, with tensors that its seed determines.</summary>
internal sealed record RoutingCase(
    int B, int Groups, int GroupSize, int D, int J, int E, int Iterations, bool Bias, int LogitsDims, bool Leaky, bool ThroughAll, VectorPlan Plan, int Seed)
{
    private static readonly int[] Sizes = [1, 2, 3, 4, 5, 7, 8, 9, 11, 13, 16, 17, 19, 20, 23, 24, 31, 33];
    private static readonly int[] Widths = [4, 8, 16];
    private static readonly int[] OutCapsules = [1, 2, 3, 4, 5, 7, 8, 9, 11, 16, 17, 33];
    private static readonly int[] SmallSizes = [1, 2, 3, 4, 5, 7, 8, 9, 11, 16];

    /// <summary>Every way in which the kernel can use vectors for so many entries: a machine chooses but a few.</summary>
    public static VectorPlan[] PlansFor(int outDim) =>
    [
        .. from lanes in Widths select new VectorPlan(LaneContent.Rows, lanes),
        .. from lanes in Widths where lanes <= outDim select new VectorPlan(LaneContent.Entries, lanes),
    ];

    public int N => Groups * GroupSize;

    /// <summary>Odd sizes, ones and primes beside powers of two; every option; every use of vectors.</summary>
    public static Arbitrary<RoutingCase> Any { get; } = (
        from b in Gen.Elements(Sizes)
        from groups in Gen.Elements(Sizes)
        from groupSize in Gen.Elements(1, 1, 2, 5)
        from d in Gen.Elements(SmallSizes)
        from j in Gen.Elements(OutCapsules)
        from e in Gen.Elements(Sizes)
        from iterations in Gen.Choose(0, 5)
        from bias in Gen.Elements(true, false)
        from logits in iterations == 0 ? Gen.Constant(0) : Gen.Elements(0, 2, 3)
        from leaky in Gen.Elements(true, false)
        from throughAll in Gen.Elements(true, true, false)
        from plan in Gen.Elements(PlansFor(e))
        from seed in Gen.Choose(0, int.MaxValue)
        select new RoutingCase(b, groups, groupSize, d, j, e, iterations, bias, logits, leaky, throughAll, plan, seed)).ToArbitrary();

    /// <summary>Runs a property over fixed pseudo-random cases, so that a failure is everyone's failure.</summary>
    public static void ForAny(int count, ulong seed, Action<RoutingCase> property) =>
        Prop.ForAll(Any, property).Check(Config.QuickThrowOnFailure.WithMaxTest(count).WithReplay(seed, 1));

    /// <summary>u, weight, then bias and logits where the case has them.</summary>
    public List<Tensor> Inputs()
    {
        using var generator = new Generator((ulong)Seed);

        // Votes of one size whatever D: larger ones make five iterations so steep that float32 itself leaves five digits at most.
        var inputs = new List<Tensor> { Normal(B, N, D), Normal(Groups, J, D, E).mul_(0.5 / Math.Sqrt(D)) };
        if (Bias)
        {
            inputs.Add(Normal(J, E).mul_(0.3));
        }

        if (LogitsDims > 0)
        {
            inputs.Add(LogitsDims == 2 ? Normal(N, J) : Normal(B, N, J));
        }

        return inputs;

        Tensor Normal(params long[] shape) => randn(shape, generator: generator);
    }

    public Tensor Fused(IReadOnlyList<Tensor> inputs) =>
        FusedDynamicRouting.Apply(inputs[0], inputs[1], Bias ? inputs[2] : null, LogitsDims > 0 ? inputs[^1] : null, Iterations, Leaky, ThroughAll, Plan);

    /// <summary>By the kernels of routing.cu, which a launcher runs.</summary>
    public Tensor FusedOn(IKernelLauncher launcher, IReadOnlyList<Tensor> inputs) => FusedDynamicRouting.Apply(
        inputs[0], inputs[1], Bias ? inputs[2] : null, LogitsDims > 0 ? inputs[^1] : null, Iterations, Leaky, ThroughAll, launcher: launcher);

    /// <summary>The library's reference in torch operations, which has tests of its own.</summary>
    public Tensor Twin(IReadOnlyList<Tensor> inputs) =>
        new DynamicRouting(Iterations, Leaky, ThroughAll ? RoutingGradient.AllIterations : RoutingGradient.LastIteration, RoutingKernel.Reference)
            .Route(new LinearVotes(inputs[0], inputs[1]), Bias ? inputs[2] : null, LogitsDims > 0 ? inputs[^1] : null).Capsules;

    /// <summary>The output, then the gradient of each input under a fixed upstream gradient; zeros where none flows.</summary>
    public static List<Tensor> OutputAndGradients(IReadOnlyList<Tensor> inputs, ScalarType dtype, Func<IReadOnlyList<Tensor>, Tensor> routing)
    {
        var leaves = inputs.Select(input => input.detach().to(dtype).clone().requires_grad_(true)).ToList();
        var output = routing(leaves);
        return [output.detach(), .. Backward.Gradients([output], leaves)];
    }

    /// <summary>Output and gradients of a routing in a dtype must be those of <see cref="Twin"/> in float64.</summary>
    /// <param name="routing">From the inputs to the output.</param>
    /// <param name="dtype">Both start from inputs that were rounded to it.</param>
    /// <param name="tolerance">What <see cref="RelativeError"/> must stay below.</param>
    /// <param name="inputs">Default: <see cref="Inputs"/>.</param>
    public void ShouldAgreeWithTwin(Func<IReadOnlyList<Tensor>, Tensor> routing, ScalarType dtype, double tolerance, List<Tensor>? inputs = null)
    {
        using var scope = NewDisposeScope();
        inputs = (inputs ?? Inputs()).ConvertAll(input => input.to(dtype));
        var actual = OutputAndGradients(inputs, dtype, routing);
        var expected = OutputAndGradients(inputs, ScalarType.Float64, Twin);
        for (var i = 0; i < expected.Count; i++)
        {
            actual[i].dtype.Should().Be(i == 0 ? ScalarType.Float32 : dtype);
            RelativeError(actual[i], expected[i]).Should().BeLessThan(tolerance, "result {0} of {1}", i, this);
        }
    }

    /// <summary>|actual - expected| / |expected| in the Euclidean norm; the plain norm where nothing is expected.</summary>
    public static double RelativeError(Tensor actual, Tensor expected)
    {
        var difference = (actual.to(ScalarType.Float64) - expected.to(ScalarType.Float64)).norm().item<double>();
        var length = expected.to(ScalarType.Float64).norm().item<double>();
        return length > 0 ? difference / length : difference;
    }
}
