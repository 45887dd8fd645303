using static TorchSharp.torch;

namespace Capsules.Tests.Kernels;

/// <summary>
/// The CUDA kernel and its launches where there is no GPU: the launches write what the kernels compute, block by block, on CPU tensors.
/// benchmarks/cuda/emulate.py has more of it, in float64, with sanitizers.
/// </summary>
[Collection(nameof(EmulatedGpuFixture))]
public sealed class EmulatedCudaRoutingTests(EmulatedGpuFixture gpus)
{
    private EmulatedGpu Gpu => gpus.Gpu(ScalarType.Float32);

    public static TheoryData<int, int, int, int, int, int, int, bool, int, bool, bool, int> Cases => new()
    {
        // B, groups, group size, D, J, E, iterations, bias, dimensions of the logits, leaky, through all iterations, multiprocessors
        { 3, 5, 1, 8, 10, 16, 3, true, 0, false, true, 1 },
        { 17, 6, 1, 8, 10, 16, 3, true, 3, true, true, 20 },
        { 33, 2, 1, 8, 10, 16, 3, true, 2, true, true, 20 },
        { 17, 2, 4, 3, 9, 13, 4, false, 2, false, true, 4 },
        { 17, 2, 4, 3, 9, 13, 3, true, 2, false, false, 4 },
        { 2, 7, 1, 9, 32, 16, 3, true, 2, true, true, 4 },
        { 11, 2, 2, 3, 12, 20, 2, false, 3, false, true, 4 },
        { 2, 3, 1, 4, 7, 33, 5, true, 0, false, true, 1 },
        { 4, 5, 1, 2, 3, 5, 0, true, 0, true, true, 1 },
        { 4, 5, 1, 2, 3, 5, 1, true, 2, false, true, 1 },
        { 4, 5, 1, 2, 3, 5, 1, false, 0, false, false, 1 },
        { 1, 1, 1, 1, 1, 1, 3, false, 0, false, true, 1 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Apply_AnyShapeAndOptions_AgreesWithDoubleTwinInValuesAndGradients(
        int b, int groups, int groupSize, int d, int j, int e,
        int iterations, bool bias, int logitsDims, bool leaky, bool throughAll, int multiprocessors)
    {
        var gpu = Gpu.With(multiprocessors);
        var routing = new RoutingCase(b, groups, groupSize, d, j, e, iterations, bias, logitsDims, leaky, throughAll, EmulatedGpuFixture.AnyPlan, Seed: 3);
        routing.ShouldAgreeWithTwin(leaves => routing.FusedOn(gpu, leaves), ScalarType.Float32, 1e-5);
        var passes = Math.Max(iterations, 1);
        gpu.Launches.Should().Be(2 * passes + 1 + (throughAll ? 2 * (passes - 1) : 0) + 1);
    }

    // Several warps sum one gradient only where there is memory for parts of it.
    [Fact]
    public void Cases_IncludeParts_OfGroupsOfRowsAndOfLogits()
    {
        List<(CudaRoutingPlan Plan, int LogitsDims)> plans = [];
        foreach (var (b, groups, groupSize, d, j, e, iterations, _, logitsDims, _, _, multiprocessors) in Cases.Select(row => row.Data))
        {
            plans.Add((new(new(b, groups * groupSize, d, j, e, groupSize), Math.Max(iterations, 1), multiprocessors), logitsDims));
        }

        plans.Should().Contain(one => one.Plan.Chunks > 1 && one.Plan.RowParts > 1);
        plans.Should().Contain(one => one.Plan.Chunks == 1 && one.Plan.RowParts > 1);
        plans.Should().Contain(one => one.Plan.RowParts > 1 && one.LogitsDims == 2);
        plans.Should().Contain(one => one.Plan.WeightParts == 1);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Apply_OneInputRequiresGradient_GivesThatGradientAlone(int which)
    {
        using var scope = NewDisposeScope();
        var routing = new RoutingCase(5, 6, 1, 4, 3, 5, 3, true, 3, false, true, EmulatedGpuFixture.AnyPlan, Seed: 3);
        var inputs = routing.Inputs();
        var expected = RoutingCase.OutputAndGradients(inputs, ScalarType.Float32, leaves => routing.FusedOn(Gpu, leaves))[which + 1];
        var some = inputs.Select((input, i) => i == which ? input.detach().requires_grad_(true) : input).ToList();
        var output = routing.FusedOn(Gpu, some);
        output.backward([Backward.Upstream(output)]);
        some[which].grad!.Equals(expected).Should().BeTrue();
        some.Where((_, i) => i != which).Should().OnlyContain(input => ReferenceEquals(input.grad, null));
    }

    [Fact]
    public void Apply_ViewsOfOddOffset_AgreesWithContiguous()
    {
        using var scope = NewDisposeScope();
        var routing = new RoutingCase(3, 5, 1, 8, 10, 16, 3, false, 0, false, true, EmulatedGpuFixture.AnyPlan, Seed: 5);
        var inputs = routing.Inputs();
        var views = inputs.ConvertAll(input => cat([zeros(1), input.flatten()]).narrow(0, 1, input.numel()).view(input.shape));
        routing.FusedOn(Gpu, views).Equals(routing.FusedOn(Gpu, inputs)).Should().BeTrue();
    }

    [Fact]
    public void Apply_NaNInOneRow_GivesNaNInThatRowAlone()
    {
        using var scope = NewDisposeScope();
        var u = randn(9, 6, 4);
        u[7, 2, 1] = float.NaN;
        u.requires_grad_(true);
        var v = Plain(Gpu, u, randn(6, 3, 4, 5));
        v.backward([ones_like(v)]);
        foreach (var result in new[] { v.detach(), u.grad! })
        {
            var rows = result.isnan().reshape(9, -1).any(1);
            rows[7].item<bool>().Should().BeTrue();
            rows.sum().item<long>().Should().Be(1);
        }
    }

    [Fact]
    public void Apply_ZeroInputs_GivesZeroCapsulesAndGradients()
    {
        using var scope = NewDisposeScope();
        var u = zeros(5, 6, 4).requires_grad_(true);
        var weight = randn(6, 3, 4, 5).requires_grad_(true);
        var v = Plain(Gpu, u, weight);
        v.backward([ones_like(v)]);
        v.abs().max().item<float>().Should().Be(0);
        u.grad!.abs().max().item<float>().Should().Be(0);
        weight.grad!.abs().max().item<float>().Should().Be(0);
    }

    [Theory]
    [InlineData(1e4)]
    [InlineData(1e30)]
    public void Apply_LargeLogits_AgreesWithTwin(double size)
    {
        using var scope = NewDisposeScope();
        var (u, weight, logits) = (randn(5, 6, 4), randn(6, 3, 4, 5), randn(6, 3) * size);
        var actual = FusedDynamicRouting.Apply(u, weight, null, logits, 3, leaky: true, gradientThroughAll: true, launcher: Gpu);
        using var twin = new DynamicRouting(3, leaky: true, kernel: RoutingKernel.Reference);
        var expected = twin.Route(new LinearVotes(u, weight), logits: logits).Capsules;
        RoutingCase.RelativeError(actual, expected).Should().BeLessThan(1e-5);
    }

    [Theory]
    [InlineData(1e-16, 3)]
    [InlineData(1e4, 3)]
    [InlineData(1e8, 1)]
    [InlineData(1e10, 1)]
    [InlineData(1e17, 1)]
    public void Apply_CapsulesOfExtremeSize_AgreesWithDoubleTwinInValuesAndGradients(double size, int iterations)
    {
        using var scope = NewDisposeScope();
        var routing = new RoutingCase(5, 6, 1, 4, 3, 5, iterations, false, 0, false, true, EmulatedGpuFixture.AnyPlan, Seed: 6);
        var inputs = routing.Inputs();
        inputs[0].mul_(size);
        routing.ShouldAgreeWithTwin(leaves => routing.FusedOn(Gpu, leaves), ScalarType.Float32, 1e-5, inputs);
    }

    [Fact]
    public void Apply_TransposedAndExpanded_AgreesWithContiguous()
    {
        using var scope = NewDisposeScope();
        var routing = new RoutingCase(3, 5, 1, 8, 10, 16, 3, true, 3, false, true, EmulatedGpuFixture.AnyPlan, Seed: 5);
        var inputs = routing.Inputs();
        inputs[2] = inputs[2].narrow(0, 0, 1).expand(10, 16);
        inputs[3] = inputs[3].narrow(0, 0, 1).expand(3, 5, 10);
        var strided = inputs.ConvertAll(input => input.ndim > 2 ? input.transpose(0, 1).contiguous().transpose(0, 1) : input);
        strided[3] = inputs[3];
        var expected = Outputs(inputs.ConvertAll(input => input.contiguous()));
        Outputs(strided).Zip(expected).Should().OnlyContain(pair => pair.First.Equals(pair.Second));

        // Of sums, so that the upstream gradient is an expanded number.
        List<Tensor> Outputs(List<Tensor> tensors)
        {
            var wanted = tensors.ConvertAll(tensor => tensor.detach().requires_grad_(true));
            var v = routing.FusedOn(Gpu, wanted);
            return [v.detach(), .. autograd.grad([v.sum()], wanted)];
        }
    }

    [Fact]
    public void Apply_MaskedLogits_LeavesMaskedCapsulesOut()
    {
        using var scope = NewDisposeScope();
        var logits = zeros(6, 3);
        logits[TensorIndex.Ellipsis, 1] = float.NegativeInfinity;
        var v = Plain(Gpu, randn(5, 6, 4), randn(6, 3, 4, 5), logits);
        v.select(1, 1).abs().max().item<float>().Should().Be(0);
        v.isfinite().all().item<bool>().Should().BeTrue();
    }

    [Fact]
    public void Apply_LaunchThatFails_ThrowsInForwardAndGivesNaNInBackward()
    {
        using var scope = NewDisposeScope();
        var launcher = new FailingGpu(Gpu);
        var weight = randn(6, 3, 4, 5).requires_grad_(true);
        var v = Plain(launcher, randn(5, 6, 4), weight);
        launcher.Fails = true;
        v.sum().backward();
        weight.grad!.isnan().all().item<bool>().Should().BeTrue();
        var again = () => Plain(launcher, randn(5, 6, 4), weight);
        again.Should().Throw<InvalidOperationException>().WithMessage("No device.");
    }

    private static Tensor Plain(IKernelLauncher gpu, Tensor u, Tensor weight, Tensor? logits = null) =>
        FusedDynamicRouting.Apply(u, weight, null, logits, 3, leaky: false, gradientThroughAll: true, launcher: gpu);

    private sealed class FailingGpu(IKernelLauncher gpu) : IKernelLauncher
    {
        public bool Fails { get; set; }

        public ScalarType Dtype => gpu.Dtype;

        public int Multiprocessors => gpu.Multiprocessors;

        public void Launch<TArguments>(string kernel, int gridX, int gridY, int threads, int sharedBytes, in TArguments arguments)
            where TArguments : unmanaged
        {
            if (Fails)
            {
                throw new InvalidOperationException("No device.");
            }

            gpu.Launch(kernel, gridX, gridY, threads, sharedBytes, arguments);
        }
    }
}
