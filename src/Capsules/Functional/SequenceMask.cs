using static TorchSharp.torch;

namespace Capsules;

public static partial class Functional
{
    /// <summary>The mask of samples with different numbers of capsules, padded to one number: the first ones of each are there.</summary>
    /// <param name="counts">Int64 (B): how many capsules each sample has, in [0, <paramref name="capsules"/>].</param>
    /// <param name="capsules">N, the capsules of the padded samples, at least 1.</param>
    /// <returns>Bool (B, N), for <see cref="Votes"/> and the layers' <c>Route</c>.</returns>
    /// <exception cref="ArgumentException"><paramref name="counts"/> is not (B), not Int64 or out of its range.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="capsules"/> is less than 1 or more than 2^31 - 1.</exception>
    public static Tensor sequence_mask(Tensor counts, long capsules)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capsules, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(capsules, int.MaxValue);
        ShapeGuard.Shape(nameof(sequence_mask), counts, nameof(counts), "B", [ShapeGuard.Any]);
        if (counts.dtype != ScalarType.Int64)
        {
            throw new ArgumentException(
                $"{nameof(sequence_mask)} expected counts of dtype Int64, but got {counts.dtype}. " +
                "Convert them with counts.to(torch.int64).",
                nameof(counts));
        }

        ShapeGuard.Range(nameof(sequence_mask), counts, nameof(counts), 0, capsules, $"for {capsules} capsules");
        using var scope = NewDisposeScope();
        return Arithmetic.Indices(capsules, counts.device).lt(counts.unsqueeze(1)).MoveToOuterDisposeScope();
    }
}
