using static TorchSharp.torch;

namespace Capsules.Tests.Kernels;

/// <summary>Compiles the emulation for each dtype once for all tests of a class.</summary>
public sealed class EmulatedGpuFixture : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("capsules-emulation-").FullName;
    private readonly Dictionary<ScalarType, EmulatedGpu?> _gpus = [];

    internal EmulatedGpu? Gpu(ScalarType dtype)
    {
        if (!_gpus.TryGetValue(dtype, out var gpu))
        {
            gpu = _gpus[dtype] = EmulatedGpu.Build(_folder, dtype);
        }

        return gpu;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}

/// <summary>
/// The CUDA kernel and its launches where there is no GPU: the launches write what the kernels compute, block by block, on CPU tensors.
/// benchmarks/cuda/emulate.py has more of it, in float64, with sanitizers.
/// </summary>
public sealed class EmulatedCudaRoutingTests(EmulatedGpuFixture fixture) : IClassFixture<EmulatedGpuFixture>
{
    // Of the CPU's kernel, which has no part here.
    private static readonly VectorPlan AnyPlan = new(LaneContent.Rows, 4);

    private EmulatedGpu Gpu => GpuFor(ScalarType.Float32);

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
        { 4, 5, 1, 2, 3, 5, 0, true, 2, true, true, 1 },
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
        using var scope = NewDisposeScope();
        var routing = new RoutingCase(b, groups, groupSize, d, j, e, iterations, bias, logitsDims, leaky, throughAll, AnyPlan, Seed: 3);
        var inputs = routing.Inputs();
        var actual = RoutingCase.OutputAndGradients(inputs, ScalarType.Float32, leaves => Apply(gpu, routing, leaves));
        var expected = RoutingCase.OutputAndGradients(inputs, ScalarType.Float64, routing.Twin);
        for (var i = 0; i < expected.Count; i++)
        {
            RoutingCase.RelativeError(actual[i], expected[i]).Should().BeLessThan(1e-5, "result {0}", i);
        }

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

    public static TheoryData<ScalarType, int, int, int, int, int, int, int, bool, int> SixteenBitCases
    {
        get
        {
            var cases = new TheoryData<ScalarType, int, int, int, int, int, int, int, bool, int>();
            foreach (var dtype in new[] { ScalarType.BFloat16, ScalarType.Float16 })
            {
                // B, groups, group size, D, J, E, dimensions of the logits, through all iterations, multiprocessors.
                // Of one multiprocessor a warp sums a whole gradient, of many only a part.
                cases.Add(dtype, 3, 5, 1, 8, 10, 16, 2, true, 1);
                cases.Add(dtype, 33, 2, 2, 8, 10, 16, 2, true, 20);
                cases.Add(dtype, 25, 2, 1, 5, 9, 13, 3, false, 4);
                cases.Add(dtype, 2, 3, 1, 3, 32, 16, 0, true, 1);
                cases.Add(dtype, 3, 3, 1, 5, 7, 36, 3, true, 1);
            }

            return cases;
        }
    }

    // Inputs are taken as they are and computed with in float32; a gradient is rounded once. So values and gradients are those of float32
    // inputs of the same values, and the gradients' rounding is torch's: bit for bit.
    [Theory]
    [MemberData(nameof(SixteenBitCases))]
    public void Apply_SixteenBits_IsFloat32OfTheSameValuesWithGradientsRoundedOnce(
        ScalarType dtype, int b, int groups, int groupSize, int d, int j, int e, int logitsDims, bool throughAll, int multiprocessors)
    {
        var (gpu, wide) = (GpuFor(dtype).With(multiprocessors), Gpu.With(multiprocessors));
        using var scope = NewDisposeScope();
        var routing = new RoutingCase(b, groups, groupSize, d, j, e, 3, true, logitsDims, false, throughAll, AnyPlan, Seed: 4);
        var inputs = routing.Inputs().ConvertAll(input => input.to(dtype));
        var actual = RoutingCase.OutputAndGradients(inputs, dtype, leaves => Apply(gpu, routing, leaves));
        var expected = RoutingCase.OutputAndGradients(inputs, ScalarType.Float32, leaves => Apply(wide, routing, leaves));
        actual[0].Equals(expected[0]).Should().BeTrue();
        for (var i = 1; i < expected.Count; i++)
        {
            actual[i].dtype.Should().Be(dtype);
            actual[i].Equals(expected[i].to(dtype)).Should().BeTrue("result {0}", i);
        }
    }

    [Theory]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    public void Apply_SixteenBitViewsOfOddOffset_AgreesWithContiguous(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var gpu = GpuFor(dtype);
        var routing = new RoutingCase(3, 5, 1, 8, 10, 16, 3, true, 2, false, true, AnyPlan, Seed: 5);
        var inputs = routing.Inputs().ConvertAll(input => input.to(dtype));
        foreach (var offset in new[] { 1, 2, 3 })
        {
            var views = inputs.ConvertAll(input =>
                cat([zeros(offset, dtype: dtype), input.flatten()]).narrow(0, offset, input.numel()).view(input.shape));
            Apply(gpu, routing, views).Equals(Apply(gpu, routing, inputs)).Should().BeTrue("offset {0}", offset);
        }
    }

    [Theory]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    public void Apply_SixteenBitInfinityAndNaN_StayInTheirRows(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var u = randn(9, 6, 4).to(dtype);
        u[7, 2, 1] = float.NaN;
        u[3, 1, 0] = float.PositiveInfinity;
        u.requires_grad_(true);
        var v = Plain(GpuFor(dtype), u, randn(6, 3, 4, 5).to(dtype));
        v.backward([ones_like(v)]);
        foreach (var result in new[] { v.detach(), u.grad! })
        {
            var rows = result.isfinite().logical_not().reshape(9, -1).any(1);
            rows[7].item<bool>().Should().BeTrue();
            rows[3].item<bool>().Should().BeTrue();
            rows.sum().item<long>().Should().Be(2);
        }
    }

    [Fact]
    public void Apply_Float16GradientsBeyondItsRange_AreInfinityAsTorchRoundsThem()
    {
        using var scope = NewDisposeScope();
        var u = randn(5, 6, 4).to(ScalarType.Float16).requires_grad_(true);
        var weight = randn(6, 3, 4, 5).to(ScalarType.Float16);
        var v = Plain(GpuFor(ScalarType.Float16), u, weight);
        v.backward([full_like(v, 1e6)]);
        var wide = u.detach().to(ScalarType.Float32).requires_grad_(true);
        var expected = Plain(Gpu, wide, weight.to(ScalarType.Float32));
        expected.backward([full_like(expected, 1e6)]);
        u.grad!.isinf().any().item<bool>().Should().BeTrue();
        u.grad!.Equals(wide.grad!.to(ScalarType.Float16)).Should().BeTrue();
    }

    [Theory]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    public void Apply_SixteenBits_RoundsGradientsToTheNearestAndTiesToEven(ScalarType dtype)
    {
        // With one weight and s = 1 nothing but v's own gradient is left, so that du is the upstream gradient times a power of two.
        using var scope = NewDisposeScope();
        var places = dtype == ScalarType.BFloat16 ? 7 : 10;
        var ulp = Math.Pow(2, -places);
        var weight = eye(2, dtype: dtype).reshape(1, 1, 2, 2);
        var u = zeros(6, 1, 2, dtype: dtype);
        u[TensorIndex.Ellipsis, 0] = 1f;
        u.requires_grad_(true);

        // At s = (1, 0) squash's gradient is one half of the upstream gradient across s.
        var upstream = zeros(6, 1, 2);
        var wanted = new[] { 1.5 * ulp, 0.5 * ulp, 0.75 * ulp, 2.5 * ulp, 0.25 * ulp, 1.25 * ulp };
        for (var i = 0; i < wanted.Length; i++)
        {
            upstream[i, 0, 1] = (float)(2 * (1 + wanted[i]));
        }

        var v = FusedDynamicRouting.Apply(u, weight, null, null, 1, leaky: false, gradientThroughAll: true, launcher: GpuFor(dtype));
        v.backward([upstream]);
        for (var i = 0; i < wanted.Length; i++)
        {
            var nearest = 1 + Math.Round(wanted[i] / ulp, MidpointRounding.ToEven) * ulp;
            u.grad![i, 0, 1].to(ScalarType.Float64).item<double>().Should().Be(nearest);
        }
    }

    [Fact]
    public void Apply_KernelsOfAnotherDtype_ThrowsRatherThanReadsWrongBits()
    {
        using var scope = NewDisposeScope();
        var apply = () => Plain(Gpu, randn(5, 6, 4).to(ScalarType.BFloat16), randn(6, 3, 4, 5).to(ScalarType.BFloat16));
        apply.Should().Throw<ArgumentException>().WithMessage("The kernels that were loaded are for Float32, but a tensor is BFloat16.");
    }

    [Fact]
    public void Apply_SixteenBits_AllocatesNoCopyOfTheInputs()
    {
        using var scope = NewDisposeScope();
        var dtype = ScalarType.BFloat16;
        var seen = new PointersSeen(GpuFor(dtype));
        var (u, weight) = (randn(5, 6, 4).to(dtype), randn(6, 3, 4, 5).to(dtype));
        Plain(seen, u, weight);
        seen.Inputs.Should().OnlyContain(pointer => pointer == Address(u));
        seen.Weights.Should().OnlyContain(pointer => pointer == Address(weight));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Apply_OneInputRequiresGradient_GivesThatGradientAlone(int which)
    {
        using var scope = NewDisposeScope();
        var routing = new RoutingCase(5, 6, 1, 4, 3, 5, 3, true, 3, false, true, AnyPlan, Seed: 3);
        var inputs = routing.Inputs();
        var expected = RoutingCase.OutputAndGradients(inputs, ScalarType.Float32, leaves => Apply(Gpu, routing, leaves))[which + 1];
        var some = inputs.Select((input, i) => i == which ? input.detach().requires_grad_(true) : input).ToList();
        var output = Apply(Gpu, routing, some);
        output.backward([(arange(output.numel(), dtype: ScalarType.Float64) * 1.7).sin().reshape(output.shape).to(ScalarType.Float32)]);
        some[which].grad!.Equals(expected).Should().BeTrue();
        some.Where((_, i) => i != which).Should().OnlyContain(input => ReferenceEquals(input.grad, null));
    }

    [Fact]
    public void Apply_ViewsOfOddOffset_AgreesWithContiguous()
    {
        using var scope = NewDisposeScope();
        var routing = new RoutingCase(3, 5, 1, 8, 10, 16, 3, false, 0, false, true, AnyPlan, Seed: 5);
        var inputs = routing.Inputs();
        var views = inputs.ConvertAll(input => cat([zeros(1), input.flatten()]).narrow(0, 1, input.numel()).view(input.shape));
        Apply(Gpu, routing, views).Equals(Apply(Gpu, routing, inputs)).Should().BeTrue();
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
        var routing = new RoutingCase(5, 6, 1, 4, 3, 5, iterations, false, 0, false, true, AnyPlan, Seed: 6);
        var inputs = routing.Inputs();
        inputs[0].mul_(size);
        var actual = RoutingCase.OutputAndGradients(inputs, ScalarType.Float32, leaves => Apply(Gpu, routing, leaves));
        var expected = RoutingCase.OutputAndGradients(inputs, ScalarType.Float64, routing.Twin);
        for (var i = 0; i < expected.Count; i++)
        {
            RoutingCase.RelativeError(actual[i], expected[i]).Should().BeLessThan(1e-5, "result {0}", i);
        }
    }

    [Fact]
    public void Apply_TransposedAndExpanded_AgreesWithContiguous()
    {
        using var scope = NewDisposeScope();
        var routing = new RoutingCase(3, 5, 1, 8, 10, 16, 3, true, 3, false, true, AnyPlan, Seed: 5);
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
            var v = Apply(Gpu, routing, wanted);
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

    private EmulatedGpu GpuFor(ScalarType dtype)
    {
        var gpu = fixture.Gpu(dtype);
        Assert.SkipWhen(gpu is null, "There is no C++ compiler (g++ or clang++ on Linux) to emulate a GPU with.");
        return gpu!;
    }

    private static unsafe nint Address(Tensor tensor) => (nint)TensorMemory.Address(tensor);

    private static Tensor Plain(IKernelLauncher gpu, Tensor u, Tensor weight, Tensor? logits = null) =>
        FusedDynamicRouting.Apply(u, weight, null, logits, 3, leaky: false, gradientThroughAll: true, launcher: gpu);

    private static Tensor Apply(IKernelLauncher gpu, RoutingCase routing, IReadOnlyList<Tensor> inputs) => FusedDynamicRouting.Apply(
        inputs[0], inputs[1], routing.Bias ? inputs[2] : null, routing.LogitsDims > 0 ? inputs[^1] : null,
        routing.Iterations, routing.Leaky, routing.ThroughAll, launcher: gpu);

    /// <summary>Which memory the passes are given as u and W.</summary>
    private sealed class PointersSeen(IKernelLauncher gpu) : IKernelLauncher
    {
        public List<nint> Inputs { get; } = [];

        public List<nint> Weights { get; } = [];

        public ScalarType Dtype => gpu.Dtype;

        public int Multiprocessors => gpu.Multiprocessors;

        public unsafe void Launch<TArguments>(string kernel, int gridX, int gridY, int threads, int sharedBytes, in TArguments arguments)
            where TArguments : unmanaged
        {
            if (arguments is CudaPassArguments pass)
            {
                Inputs.Add((nint)pass.Input);
                Weights.Add((nint)pass.Weight);
            }

            gpu.Launch(kernel, gridX, gridY, threads, sharedBytes, arguments);
        }
    }

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
