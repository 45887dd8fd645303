using static TorchSharp.torch;

namespace Capsules.Tests.Kernels;

/// <summary>The CUDA kernel on a GPU. Without one these tests are skipped, and <see cref="EmulatedCudaRoutingTests"/> stand in.</summary>
public sealed class CudaRoutingTests
{
    public static TheoryData<int, int, int, int, int> RealisticShapes => new()
    {
        { 128, 1152, 10, 8, 16 },
        { 1, 1152, 10, 8, 16 },
        { 33, 70, 32, 8, 16 },
        { 530, 8, 10, 8, 16 },
        { 100, 512, 5, 8, 16 },
        { 2, 9216, 10, 8, 16 },
        { 65, 50, 16, 16, 32 },
        { 65, 50, 10, 8, 64 },
    };

    [Fact]
    public void Status_IsOneSentence() => CudaRouting.Status.Should().StartWith("The CUDA kernel of dynamic routing is ").And.EndWith(".");

    [Fact]
    public void Status_WithoutGpu_SaysSo()
    {
        Assert.SkipWhen(cuda.is_available(), "There is a CUDA device.");
        CudaRouting.Status.Should().Be("The CUDA kernel of dynamic routing is not active: torch sees no GPU.");
    }

    [Fact]
    public void Status_WithGpu_IsActive()
    {
        NeedsGpu();
        CudaRouting.Status.Should().StartWith("The CUDA kernel of dynamic routing is active");
    }

    [Fact]
    public void Apply_AnyShapeAndOptions_AgreesWithDoubleTwinInValuesAndGradients()
    {
        NeedsGpu();
        RoutingCase.ForAny(count: 300, seed: 20171026, routing =>
        {
            if (CudaRoutingPlan.WhyNot(new(routing.B, routing.N, routing.D, routing.J, routing.E, routing.GroupSize)) is null)
            {
                Agrees(routing, ScalarType.Float32, 1e-5);
            }
        });
    }

    [Theory]
    [MemberData(nameof(RealisticShapes))]
    public void Apply_RealisticShape_AgreesWithDoubleTwin(int b, int n, int j, int d, int e)
    {
        NeedsGpu();
        Agrees(Case(b, n, j, d, e), ScalarType.Float32, 1e-5);
    }

    [Theory]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    public void Apply_SixteenBits_AgreesWithDoubleTwin(ScalarType dtype)
    {
        NeedsGpu();
        Agrees(Case(33, 70, 10, 8, 16), dtype, 1e-2);
    }

    [Theory]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    public void Apply_SixteenBits_IsFloat32OfTheSameValuesWithGradientsRoundedOnce(ScalarType dtype)
    {
        NeedsGpu();
        using var scope = NewDisposeScope();
        RoutingCase[] cases = [Case(128, 1152, 10, 8, 16), Case(33, 70, 32, 8, 16), Case(530, 8, 10, 7, 13), Case(65, 50, 10, 8, 64)];
        foreach (var routing in cases)
        {
            var inputs = routing.Inputs().ConvertAll(input => input.to(dtype).cuda());
            var actual = RoutingCase.OutputAndGradients(inputs, dtype, routing.Fused);
            var expected = RoutingCase.OutputAndGradients(inputs, ScalarType.Float32, routing.Fused);
            RoutingCase.RelativeError(actual[0], expected[0]).Should().BeLessThan(1e-6);
            for (var i = 1; i < expected.Count; i++)
            {
                // The compiler may have ordered products and sums otherwise: next to a tie that is a last place.
                var rounded = expected[i].to(dtype);
                RoutingCase.RelativeError(actual[i], rounded).Should().BeLessThan(1e-3, "result {0} of {1}", i, routing);
            }
        }
    }

    [Fact]
    public void Apply_RunTwice_GivesSameBits()
    {
        NeedsGpu();
        using var scope = NewDisposeScope();
        var routing = Case(128, 1152, 10, 8, 16);
        var inputs = routing.Inputs().ConvertAll(input => input.cuda());
        var first = RoutingCase.OutputAndGradients(inputs, ScalarType.Float32, routing.Fused);
        for (var run = 0; run < 5; run++)
        {
            var again = RoutingCase.OutputAndGradients(inputs, ScalarType.Float32, routing.Fused);
            again.Zip(first).Should().OnlyContain(pair => pair.First.Equals(pair.Second));
        }
    }

    [Theory]
    [InlineData(4096, 1152)]
    [InlineData(512, 9216)]
    public void Apply_LargeProblem_RunsAndIsFinite(int b, int n)
    {
        NeedsGpu();
        using var scope = NewDisposeScope();
        var u = randn([b, n, 8], device: CUDA).requires_grad_(true);
        var weight = (randn([n, 10, 8, 16], device: CUDA) * 0.05).requires_grad_(true);
        var v = FusedDynamicRouting.Apply(u, weight, null, null, 3, leaky: false, gradientThroughAll: true);
        v.sum().backward();
        v.isfinite().all().item<bool>().Should().BeTrue();
        u.grad!.isfinite().all().item<bool>().Should().BeTrue();
        weight.grad!.isfinite().all().item<bool>().Should().BeTrue();
    }

    [Fact]
    public void Route_AutomaticOnCuda_TakesTheKernelAndAgreesWithTheReference()
    {
        NeedsGpu();
        using var scope = NewDisposeScope();
        var votes = new LinearVotes(randn([9, 30, 8], device: CUDA), randn([30, 10, 8, 16], device: CUDA) * 0.2);
        var automatic = new DynamicRouting().Route(votes).Capsules;
        var fused = new DynamicRouting(kernel: RoutingKernel.Fused).Route(votes).Capsules;
        var reference = new DynamicRouting(kernel: RoutingKernel.Reference).Route(votes).Capsules;
        automatic.Equals(fused).Should().BeTrue();
        RoutingCase.RelativeError(automatic, reference).Should().BeLessThan(1e-5);
    }

    [Fact]
    public void Route_BeyondTheLimitsOnCuda_FallsBackOrSaysWhy()
    {
        NeedsGpu();
        using var scope = NewDisposeScope();
        var votes = new LinearVotes(randn([3, 4, 8], device: CUDA), randn([4, 33, 8, 16], device: CUDA));
        new DynamicRouting().Route(votes).Capsules.shape.Should().Equal(3, 33, 16);
        var fused = () => new DynamicRouting(kernel: RoutingKernel.Fused).Route(votes);
        fused.Should().Throw<NotSupportedException>().WithMessage("The CUDA kernel serves up to 10 output capsules*");
    }

    [Fact]
    public void Apply_InsideScope_LeavesNoTensorBehind()
    {
        NeedsGpu();
        ForwardBackward();
        ProcessMemory.Collect();
        var total = Tensor.TotalCount;
        for (var i = 0; i < 100; i++)
        {
            ForwardBackward();
        }

        ProcessMemory.Collect();
        Tensor.TotalCount.Should().BeLessThanOrEqualTo(total);

        static void ForwardBackward()
        {
            using var scope = NewDisposeScope();
            var weight = randn([4, 2, 3, 5], device: CUDA).requires_grad_(true);
            var u = randn([3, 4, 3], device: CUDA);
            FusedDynamicRouting.Apply(u, weight, null, null, 3, leaky: false, gradientThroughAll: true).sum().backward();
            GuardedBackward.Release();
        }
    }

    private static void NeedsGpu() => Assert.SkipUnless(cuda.is_available(), "There is no CUDA device.");

    private static RoutingCase Case(int b, int n, int j, int d, int e) =>
        new(b, n, 1, d, j, e, 3, Bias: true, LogitsDims: 0, Leaky: false, ThroughAll: true, new VectorPlan(LaneContent.Rows, 4), Seed: 1);

    private static void Agrees(RoutingCase routing, ScalarType dtype, double tolerance)
    {
        using var scope = NewDisposeScope();
        var inputs = routing.Inputs();
        inputs[1].mul_(0.5);
        routing.ShouldAgreeWithTwin(routing.Fused, dtype, tolerance, inputs.ConvertAll(input => input.cuda()));
    }
}
