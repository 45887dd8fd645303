using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>What this machine can do at best with libtorch and the same threads: a large matrix product, a large copy.</summary>
internal sealed class MachineLimits : IDisposable
{
    private const int Side = 2048;

    private const int CopiedFloats = 32 << 20;      // 128 MiB, well above any cache

    private readonly Tensor _left, _right, _source, _target;

    public MachineLimits()
    {
        using var scope = NewDisposeScope();
        _left = randn(Side, Side).DetachFromDisposeScope();
        _right = randn(Side, Side).DetachFromDisposeScope();
        _source = zeros(CopiedFloats).DetachFromDisposeScope();
        _target = zeros(CopiedFloats).DetachFromDisposeScope();
    }

    public static double ProductFlop => 2.0 * Side * Side * Side;

    /// <summary>Read and written.</summary>
    public static double CopyBytes => 2.0 * CopiedFloats * sizeof(float);

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
