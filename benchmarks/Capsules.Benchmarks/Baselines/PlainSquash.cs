using static TorchSharp.torch;

namespace Capsules.Benchmarks;

/// <summary>The squash that all baselines write: |s|^2 / (1 + |s|^2) * s / sqrt(|s|^2 + eps).</summary>
internal static class PlainSquash
{
    public static Tensor Apply(Tensor s, double eps = 0)
    {
        using var scope = NewDisposeScope();
        var square = s.square().sum(-1, keepdim: true);
        var length = (eps == 0 ? square : square + eps).sqrt();
        return (square / (1 + square) / length * s).MoveToOuterDisposeScope();
    }
}
