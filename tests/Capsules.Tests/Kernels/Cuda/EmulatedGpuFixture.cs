using static TorchSharp.torch;

namespace Capsules.Tests.Kernels;

/// <summary>
/// Compiles the emulation for each dtype once for all classes of its collection. Their tests run one after the other, since an emulation
/// is one GPU with one shared memory.
/// </summary>
[CollectionDefinition(nameof(EmulatedGpuFixture))]
public sealed class EmulatedGpuFixture : IDisposable, ICollectionFixture<EmulatedGpuFixture>
{
    /// <summary>A plan of the CPU's kernel, which has no part here.</summary>
    internal static readonly VectorPlan AnyPlan = new(LaneContent.Rows, 4);

    private readonly string _folder = Directory.CreateTempSubdirectory("capsules-emulation-").FullName;
    private readonly Dictionary<ScalarType, EmulatedGpu?> _gpus = [];

    /// <summary>The emulation for a dtype; without a compiler the test that asks is skipped.</summary>
    internal EmulatedGpu Gpu(ScalarType dtype)
    {
        if (!_gpus.TryGetValue(dtype, out var gpu))
        {
            gpu = _gpus[dtype] = EmulatedGpu.Build(_folder, dtype);
        }

        Assert.SkipWhen(gpu is null, "There is no C++ compiler (g++ or clang++ on Linux) to emulate a GPU with.");
        return gpu!;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
