using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>What this machine can do at best with libtorch and the same threads, or a GPU with libtorch: a large matrix product, a large copy.</summary>
internal sealed class MachineLimits : IDisposable
{
    // On the CPU 128 MiB, on a GPU 1 GiB: well above any cache.
    private readonly long _side, _copiedFloats;

    private readonly Tensor _left, _right, _source, _target;

    public MachineLimits(Device device)
    {
        (_side, _copiedFloats) = device.type == DeviceType.CUDA ? (8192, 1L << 28) : (2048, 1L << 25);
        using var scope = NewDisposeScope();
        _left = randn([_side, _side], device: device).DetachFromDisposeScope();
        _right = randn([_side, _side], device: device).DetachFromDisposeScope();
        _source = zeros([_copiedFloats], device: device).DetachFromDisposeScope();
        _target = zeros([_copiedFloats], device: device).DetachFromDisposeScope();
    }

    public double ProductFlop => 2.0 * _side * _side * _side;

    /// <summary>Read and written.</summary>
    public double CopyBytes => 2.0 * _copiedFloats * sizeof(float);

    public void Product() => _left.mm(_right).Dispose();

    public void Copy() => _target.copy_(_source);

    public void Dispose()
    {
        _left.Dispose();
        _right.Dispose();
        _source.Dispose();
        _target.Dispose();
    }
}
