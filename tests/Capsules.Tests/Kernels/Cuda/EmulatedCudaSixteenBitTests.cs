using static TorchSharp.torch;

namespace Capsules.Tests.Kernels;

/// <summary>
/// The CUDA kernel on bfloat16 and float16 tensors where there is no GPU: they are read as they lie, computed with in float32, and
/// gradients rounded once.
/// </summary>
[Collection(nameof(EmulatedGpuFixture))]
public sealed class EmulatedCudaSixteenBitTests(EmulatedGpuFixture gpus)
{
    private EmulatedGpu Gpu => gpus.Gpu(ScalarType.Float32);

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
        var (gpu, wide) = (gpus.Gpu(dtype).With(multiprocessors), Gpu.With(multiprocessors));
        using var scope = NewDisposeScope();
        var routing = new RoutingCase(b, groups, groupSize, d, j, e, 3, true, logitsDims, false, throughAll, EmulatedGpuFixture.AnyPlan, Seed: 4);
        var inputs = routing.Inputs().ConvertAll(input => input.to(dtype));
        var actual = RoutingCase.OutputAndGradients(inputs, dtype, leaves => routing.FusedOn(gpu, leaves));
        var expected = RoutingCase.OutputAndGradients(inputs, ScalarType.Float32, leaves => routing.FusedOn(wide, leaves));
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
        var gpu = gpus.Gpu(dtype);
        var routing = new RoutingCase(3, 5, 1, 8, 10, 16, 3, true, 2, false, true, EmulatedGpuFixture.AnyPlan, Seed: 5);
        var inputs = routing.Inputs().ConvertAll(input => input.to(dtype));
        foreach (var offset in new[] { 1, 2, 3 })
        {
            var views = inputs.ConvertAll(input =>
                cat([zeros(offset, dtype: dtype), input.flatten()]).narrow(0, offset, input.numel()).view(input.shape));
            routing.FusedOn(gpu, views).Equals(routing.FusedOn(gpu, inputs)).Should().BeTrue("offset {0}", offset);
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
        var v = Plain(gpus.Gpu(dtype), u, randn(6, 3, 4, 5).to(dtype));
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
        var v = Plain(gpus.Gpu(ScalarType.Float16), u, weight);
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

        var v = FusedDynamicRouting.Apply(u, weight, null, null, 1, leaky: false, gradientThroughAll: true, launcher: gpus.Gpu(dtype));
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
        var seen = new PointersSeen(gpus.Gpu(dtype));
        var (u, weight) = (randn(5, 6, 4).to(dtype), randn(6, 3, 4, 5).to(dtype));
        Plain(seen, u, weight);
        seen.Inputs.Should().OnlyContain(pointer => pointer == Address(u));
        seen.Weights.Should().OnlyContain(pointer => pointer == Address(weight));
    }

    private static Tensor Plain(IKernelLauncher gpu, Tensor u, Tensor weight) =>
        FusedDynamicRouting.Apply(u, weight, null, null, 3, leaky: false, gradientThroughAll: true, launcher: gpu);

    private static unsafe nint Address(Tensor tensor) => (nint)TensorMemory.Address(tensor);

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
}
