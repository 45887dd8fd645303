using static TorchSharp.torch;

namespace Capsules;

/// <summary>Votes of capsules through transformation matrices, never built unless asked for: <see cref="LinearVotes"/> and <see cref="MatrixVotes"/>.</summary>
/// <remarks>
/// <para>A capsule is R rows of D entries, of which a matrix (D, E) makes R rows of E: one row for vectors, P for pose matrices.</para>
/// <para>Every operation is one contraction over input and weights. The largest intermediate result is (B, N, J, R * D), made
/// only by <see cref="WeightedSum"/> and <see cref="Agreement"/>; neither inputs nor weights are tiled.</para>
/// <para>Results of float16 and bfloat16 are float32, since sums over thousands of votes do not fit in their 8 or 11 bits.</para>
/// </remarks>
public abstract class TransformedVotes : Votes
{
    private readonly long[] _rows;      // none for a vector

    private protected TransformedVotes(CapsuleKind kind, Tensor input, Tensor weight, Tensor? mask) : base(mask)
    {
        var (owner, any, isMatrix) = (GetType().Name, ShapeGuard.Any, kind == CapsuleKind.Matrix);
        var letters = isMatrix ? "G, J, P, P" : "G, J, D, E";
        ShapeGuard.Shape(owner, weight, nameof(weight), letters, [any, any, any, any]);
        var entries = weight.size(2);
        _rows = isMatrix ? [entries] : [];
        ShapeGuard.Shape(owner, weight, nameof(weight), letters, [any, any, entries, isMatrix ? entries : any]);
        ShapeGuard.Shape(owner, input, nameof(input), isMatrix ? "B, N, P * P" : "B, N, D", [any, any, isMatrix ? entries * entries : entries]);
        ShapeGuard.Floating(owner, input, nameof(input));
        ShapeGuard.Like(owner, input, nameof(input), weight, nameof(weight));
        var (capsules, groups) = (input.size(1), weight.size(0));
        if (groups == 0 || capsules % groups != 0)
        {
            throw new ArgumentException(
                $"{owner} expected weight for as many groups as divide the {capsules} input capsules, " +
                $"but got {ShapeGuard.Text(weight.shape)} with {groups} groups.",
                nameof(weight));
        }

        (Input, Weight) = (input, weight);
        CheckMask(owner);
        Input = mask is null ? input : Present(input, mask);
    }

    /// <summary>The input capsules (B, N, D), or poses (B, N, P * P): as given, or with zeros for absent ones.</summary>
    public override Tensor Input { get; }

    /// <summary>The transformation matrices (G, J, D, E), or (G, J, P, P), as given.</summary>
    public Tensor Weight { get; }

    /// <inheritdoc/>
    public override long Batch => Input.size(0);

    /// <inheritdoc/>
    public override long InCapsules => Input.size(1);

    /// <inheritdoc/>
    public override long OutCapsules => Weight.size(1);

    /// <inheritdoc/>
    public override long OutDim => _rows is [var rows] ? rows * Weight.size(3) : Weight.size(3);

    /// <inheritdoc/>
    public override ScalarType Dtype => Functional.Wide(Weight.dtype);

    /// <inheritdoc/>
    public override Device Device => Weight.device;

    /// <inheritdoc/>
    public override Tensor Sum()
    {
        using var scope = NewDisposeScope();
        return Contract("bgprd,gjde->bjre", GroupedInput(), WideWeight()).reshape(Batch, OutCapsules, OutDim).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor WeightedSum(Tensor coupling)
    {
        CheckCoupling(coupling);
        using var scope = NewDisposeScope();
        var u = GroupedInput();
        var grouped = Functional.Wide(coupling).reshape(Batch, u.size(1), u.size(2), OutCapsules);
        var scaled = Contract("bgpj,bgprd->bgjrd", grouped, u);
        return Contract("bgjrd,gjde->bjre", scaled, WideWeight()).reshape(Batch, OutCapsules, OutDim).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor Agreement(Tensor outputs)
    {
        CheckOutputs(outputs);
        using var scope = NewDisposeScope();
        var v = Functional.Wide(outputs).reshape([Batch, OutCapsules, .. _rows, Weight.size(3)]);
        var expected = Contract("bjre,gjde->bgjrd", v, WideWeight());      // W_ij v_j: the input that would agree
        return Contract("bgjrd,bgprd->bgpj", expected, GroupedInput()).reshape(Batch, InCapsules, OutCapsules).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor Materialize()
    {
        using var scope = NewDisposeScope();
        return Contract("bgprd,gjde->bgpjre", GroupedInput(), WideWeight())
            .reshape(Batch, InCapsules, OutCapsules, OutDim).MoveToOuterDisposeScope();
    }

    // r is left out for vectors: with a dimension of size 1 products are laid out otherwise, and their last bits differ.
    private Tensor Contract(string equation, Tensor left, Tensor right) =>
        einsum(_rows.Length == 0 ? equation.Replace("r", "", StringComparison.Ordinal) : equation, left, right);

    // (B, G, N / G, D), or (B, G, N / G, R, D): N / G consecutive input capsules share one of G groups of matrices.
    private Tensor GroupedInput()
    {
        var groups = Weight.size(0);
        return Functional.Wide(Input).reshape([Batch, groups, InCapsules / groups, .. _rows, Weight.size(2)]);
    }

    private Tensor WideWeight() => Functional.Wide(Weight);
}
