using static TorchSharp.torch;

namespace Capsules;

/// <summary>Votes of matrix capsules: a pose M_i times a transformation matrix W_ij, never built unless asked for.</summary>
/// <remarks>
/// <para>Poses are P x P, and travel as rows of E = P * P entries, row after row. V_ij = M_i W_ij transforms every row of the pose
/// by the same P x P matrix, so a vote has P * P weights where <see cref="LinearVotes"/> has D * E.</para>
/// <para>Every operation is one contraction over poses and weights, as in <see cref="LinearVotes"/>. Results of float16 and bfloat16
/// are float32.</para>
/// <para>Hinton, Sabour, Frosst, "Matrix capsules with EM routing", 2018, section 2. https://openreview.net/forum?id=HJWLfGWRb</para>
/// </remarks>
public sealed class MatrixVotes : Votes
{
    /// <summary>Makes the votes of <paramref name="input"/> through <paramref name="weight"/>.</summary>
    /// <param name="input">Poses M (B, N, P * P).</param>
    /// <param name="weight">
    /// Transformation matrices W (G, J, P, P). G is N, or divides N: then N / G consecutive input capsules share their matrices.
    /// </param>
    /// <param name="mask">Which input capsules are there: Bool (B, N); null (default) for all.</param>
    /// <exception cref="ArgumentException">The shapes, dtypes or devices do not fit each other.</exception>
    public MatrixVotes(Tensor input, Tensor weight, Tensor? mask = null) : base(mask)
    {
        ShapeGuard.Shape(nameof(MatrixVotes), weight, nameof(weight), "G, J, P, P",
            [ShapeGuard.Any, ShapeGuard.Any, ShapeGuard.Any, ShapeGuard.Any]);
        var side = weight.size(2);
        ShapeGuard.Shape(nameof(MatrixVotes), weight, nameof(weight), "G, J, P, P", [ShapeGuard.Any, ShapeGuard.Any, side, side]);
        ShapeGuard.Shape(nameof(MatrixVotes), input, nameof(input), "B, N, P * P", [ShapeGuard.Any, ShapeGuard.Any, side * side]);
        ShapeGuard.Floating(nameof(MatrixVotes), input, nameof(input));
        ShapeGuard.Like(nameof(MatrixVotes), input, nameof(input), weight, nameof(weight));
        LinearVotes.CheckGroups(nameof(MatrixVotes), input, weight);
        (Input, Weight) = (input, weight);
        CheckMask(nameof(MatrixVotes));
        Input = mask is null ? input : Present(input, mask);
    }

    /// <summary>The poses M (B, N, P * P): as given, or with zeros for absent ones.</summary>
    public override Tensor Input { get; }

    /// <summary>The transformation matrices W (G, J, P, P), as given.</summary>
    public Tensor Weight { get; }

    /// <inheritdoc/>
    public override long Batch => Input.size(0);

    /// <inheritdoc/>
    public override long InCapsules => Input.size(1);

    /// <inheritdoc/>
    public override long OutCapsules => Weight.size(1);

    /// <inheritdoc/>
    public override long OutDim => Side * Side;

    /// <inheritdoc/>
    public override ScalarType Dtype => Functional.Wide(Weight.dtype);

    /// <inheritdoc/>
    public override Device Device => Weight.device;

    private long Side => Weight.size(2);

    /// <inheritdoc/>
    public override Tensor Sum()
    {
        using var scope = NewDisposeScope();
        return einsum("bgprd,gjdc->bjrc", GroupedPoses(), WideWeight()).reshape(Batch, OutCapsules, OutDim).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor WeightedSum(Tensor coupling)
    {
        CheckCoupling(coupling);
        using var scope = NewDisposeScope();
        var poses = GroupedPoses();
        var grouped = Functional.Wide(coupling).reshape(Batch, poses.size(1), poses.size(2), OutCapsules);
        var scaled = einsum("bgpj,bgprd->bgjrd", grouped, poses);
        return einsum("bgjrd,gjdc->bjrc", scaled, WideWeight()).reshape(Batch, OutCapsules, OutDim).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor Agreement(Tensor outputs)
    {
        CheckOutputs(outputs);
        using var scope = NewDisposeScope();
        var poses = Functional.Wide(outputs).reshape(Batch, OutCapsules, Side, Side);
        var expected = einsum("bjrc,gjdc->bgjrd", poses, WideWeight());      // the pose that would agree
        return einsum("bgjrd,bgprd->bgpj", expected, GroupedPoses()).reshape(Batch, InCapsules, OutCapsules).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor Materialize()
    {
        using var scope = NewDisposeScope();
        return einsum("bgprd,gjdc->bgpjrc", GroupedPoses(), WideWeight())
            .reshape(Batch, InCapsules, OutCapsules, OutDim).MoveToOuterDisposeScope();
    }

    // (B, G, p, P, P): p consecutive input capsules share one of G groups of matrices.
    private Tensor GroupedPoses()
    {
        var groups = Weight.size(0);
        return Functional.Wide(Input).reshape(Batch, groups, InCapsules / groups, Side, Side);
    }

    private Tensor WideWeight() => Functional.Wide(Weight);
}
