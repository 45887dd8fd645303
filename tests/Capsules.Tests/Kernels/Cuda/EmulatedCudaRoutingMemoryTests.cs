using System.Reflection;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Tests.Kernels;

/// <summary>That the calls keep alive what <see cref="CudaRoutingMemoryTests"/> counts of their plans, and no more.</summary>
[Collection(nameof(EmulatedGpuFixture))]
public sealed class EmulatedCudaRoutingMemoryTests(EmulatedGpuFixture gpus)
{
    [Theory]
    [InlineData(2, 20, 1, 3, false, 1, false, 20)]
    [InlineData(9, 2, 12, 3, true, 2, true, 4)]
    [InlineData(41, 2, 3, 4, true, 2, true, 20)]
    [InlineData(5, 17, 1, 1, true, 3, true, 4)]
    [InlineData(9, 7, 1, 2, false, 0, false, 1)]
    public void Apply_ForwardAndBackward_KeepsWhatThePlanCountsAtMost(
        int b, int groups, int groupSize, int iterations, bool bias, int logitsDims, bool leaky, int multiprocessors)
    {
        var gpu = gpus.Gpu(ScalarType.Float32);
        using var scope = NewDisposeScope();
        var routing = new RoutingCase(b, groups, groupSize, 2, 3, 8, iterations, bias, logitsDims, leaky, true, EmulatedGpuFixture.AnyPlan, Seed: 7);
        var inputs = routing.Inputs().ConvertAll(input => input.requires_grad_(true));
        var upstream = ones(b, 3, 8);
        var seen = new MemorySeen(gpu.With(multiprocessors), [.. inputs, upstream]);
        var v = routing.FusedOn(seen, inputs);
        seen.Know(v);
        v.backward([upstream]);

        var plan = new CudaRoutingPlan(CudaRoutingCall.SizesOf(inputs[0], inputs[1]), iterations, multiprocessors);
        var passing = iterations > 1 ? 3 * iterations + plan.Parts : 1 + plan.Parts;
        seen.Most.Should().BeInRange(4 * passing * v.numel(), CudaRoutingMemoryTests.MostBytes(plan, iterations));
    }

    /// <summary>The bytes of all tensors of this thread that are neither known nor gradients to be returned, before each launch.</summary>
    private sealed unsafe class MemorySeen(IKernelLauncher gpu, IReadOnlyList<Tensor> known) : IKernelLauncher
    {
        private readonly HashSet<nint> _known = [.. known.Select(Address)];

        public long Most { get; private set; }

        public void Know(Tensor tensor) => _known.Add(Address(tensor));

        public ScalarType Dtype => gpu.Dtype;

        public int Multiprocessors => gpu.Multiprocessors;

        public void Launch<TArguments>(string kernel, int gridX, int gridY, int threads, int sharedBytes, in TArguments arguments)
            where TArguments : unmanaged
        {
            HashSet<nint> results = arguments is CudaGradientArguments gradients
                ? [(nint)gradients.InputGradient, (nint)gradients.WeightGradient, (nint)gradients.LogitsGradient]
                : [];

            // Several tensors may lie on the same memory.
            var bytes = ThreadsTensors().GroupBy(Address)
                .Where(same => !_known.Contains(same.Key) && !results.Contains(same.Key))
                .Sum(same => same.Max(tensor => tensor.numel() * tensor.element_size()));
            Most = Math.Max(Most, bytes);
            gpu.Launch(kernel, gridX, gridY, threads, sharedBytes, arguments);
        }

        private static nint Address(Tensor tensor) => (nint)TensorMemory.Address(tensor);

        // TorchSharp counts the tensors of a thread's scopes and shows them to itself alone.
        private static IEnumerable<Tensor> ThreadsTensors()
        {
            var scope = Read(Read(null, "ThreadSingleton")!, "CurrentDisposeScope");
            while (scope is not null)
            {
                foreach (var tensor in ((IEnumerable<IDisposable>)Read(scope, "DisposablesView")!).OfType<Tensor>())
                {
                    yield return tensor;
                }

                scope = Read(scope, "OuterScope");
            }
        }

        private static object? Read(object? of, string name)
        {
            const BindingFlags Any = BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;
            return (of?.GetType() ?? typeof(DisposeScopeManager)).GetProperty(name, Any)!.GetValue(of);
        }
    }
}
