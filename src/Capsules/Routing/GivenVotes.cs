using static TorchSharp.torch;

namespace Capsules;

/// <summary>Votes that exist as a tensor: from another kind of transformation, or from a published example.</summary>
public sealed class GivenVotes : Votes
{
    private readonly Tensor _votes;

    /// <summary>Wraps votes; results of half precisions are float32.</summary>
    /// <param name="votes">Votes u_hat (B, N, J, E) with a floating-point dtype.</param>
    /// <param name="mask">Which input capsules are there: Bool (B, N); null (default) for all.</param>
    /// <exception cref="ArgumentException">
    /// <paramref name="votes"/> is not 4-dimensional or not floating-point, or the mask does not fit.
    /// </exception>
    public GivenVotes(Tensor votes, Tensor? mask = null) : base(mask)
    {
        ShapeGuard.Shape(nameof(GivenVotes), votes, nameof(votes), "B, N, J, E",
            [ShapeGuard.Any, ShapeGuard.Any, ShapeGuard.Any, ShapeGuard.Any]);
        ShapeGuard.Floating(nameof(GivenVotes), votes, nameof(votes));
        _votes = votes;
        CheckMask(nameof(GivenVotes));
        _votes = mask is null ? votes : Present(votes, mask);
    }

    /// <inheritdoc/>
    public override long Batch => _votes.size(0);

    /// <inheritdoc/>
    public override long InCapsules => _votes.size(1);

    /// <inheritdoc/>
    public override long OutCapsules => _votes.size(2);

    /// <inheritdoc/>
    public override long OutDim => _votes.size(3);

    /// <inheritdoc/>
    public override ScalarType Dtype => Functional.Wide(_votes.dtype);

    /// <inheritdoc/>
    public override Device Device => _votes.device;

    /// <inheritdoc/>
    public override Tensor Sum()
    {
        using var scope = NewDisposeScope();
        return Functional.Wide(_votes).sum(dim: 1).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor WeightedSum(Tensor coupling)
    {
        CheckCoupling(coupling);
        using var scope = NewDisposeScope();
        return einsum("bnj,bnje->bje", Functional.Wide(coupling), Functional.Wide(_votes)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor Agreement(Tensor outputs)
    {
        CheckOutputs(outputs);
        using var scope = NewDisposeScope();
        return einsum("bje,bnje->bnj", Functional.Wide(outputs), Functional.Wide(_votes)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor Materialize()
    {
        using var scope = NewDisposeScope();
        return Functional.Wide(_votes).alias().MoveToOuterDisposeScope();
    }
}
