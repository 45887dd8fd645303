using static TorchSharp.torch;

namespace Capsules.Tests.Layers;

/// <summary>
/// Convolutional capsules by loops over output positions, kernel offsets and types, as the definition reads: the votes that arrive at
/// one output position, those off the grid left out.
/// </summary>
internal sealed record PlainConvolution(long[] Kernel, long[] Stride, long[] Padding, long[] Dilation, bool Transposed = false)
{
    /// <summary>The votes at output position (y, x): who votes, as (offset, row, column, type), and the votes (B, n, J, E).</summary>
    public (List<(long Offset, long Row, long Column, long Type)> Children, Tensor Votes) At(long y, long x, Tensor input, Tensor weight, CapsuleKind kind)
    {
        var children = new List<(long, long, long, long)>();
        var votes = new List<Tensor>();
        for (long ky = 0; ky < Kernel[0]; ky++)
        {
            for (long kx = 0; kx < Kernel[1]; kx++)
            {
                if (Input(0, y, ky, input.size(2)) is not { } row || Input(1, x, kx, input.size(3)) is not { } column)
                {
                    continue;
                }

                for (long type = 0; type < input.size(1); type++)
                {
                    children.Add((ky * Kernel[1] + kx, row, column, type));
                    votes.Add(Vote(input[TensorIndex.Colon, type, row, column], weight[ky, kx, type], kind));
                }
            }
        }

        return (children, votes.Count == 0 ? zeros([input.size(0), 0, weight.size(3), input.size(-1)], float64) : stack(votes, dim: 1));
    }

    // (B, D) through (J, D, E) or (J, P, P).
    private static Tensor Vote(Tensor capsules, Tensor matrices, CapsuleKind kind)
    {
        if (kind == CapsuleKind.Vector)
        {
            return stack(Enumerable.Range(0, (int)matrices.size(0)).Select(j => capsules.mm(matrices[j])).ToArray(), dim: 1);
        }

        var side = matrices.size(1);
        var poses = capsules.reshape(-1, side, side);
        return stack(Enumerable.Range(0, (int)matrices.size(0)).Select(j => poses.matmul(matrices[j]).flatten(1)).ToArray(), dim: 1);
    }

    private long? Input(int axis, long output, long offset, long size)
    {
        for (long i = 0; i < size; i++)
        {
            var (from, to) = Transposed
                ? (i * Stride[axis] - Padding[axis] + offset * Dilation[axis], output)
                : (output * Stride[axis] - Padding[axis] + offset * Dilation[axis], i);
            if (from == to)
            {
                return i;
            }
        }

        return null;
    }
}
