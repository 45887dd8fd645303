using static TorchSharp.torch;

namespace Capsules;

/// <summary>Votes of capsules through transformation matrices, u_hat_ij = u_i W_ij, never built unless asked for.</summary>
/// <remarks>
/// <para>Every operation is one contraction over input and weights. The largest intermediate result is (B, N, J, D), made
/// only by <see cref="WeightedSum"/> and <see cref="Agreement"/>; neither inputs nor weights are tiled.</para>
/// <para>Results of float16 and bfloat16 are float32, since sums over thousands of votes do not fit in their 8 or 11 bits.</para>
/// </remarks>
public sealed class LinearVotes : Votes
{
    /// <summary>Makes the votes of <paramref name="input"/> through <paramref name="weight"/>.</summary>
    /// <param name="input">Input capsules u (B, N, D).</param>
    /// <param name="weight">
    /// Transformation matrices W (G, J, D, E). G is N, or divides N: then N / G consecutive input capsules share their matrices.
    /// </param>
    /// <param name="mask">Which input capsules are there: Bool (B, N); null (default) for all.</param>
    /// <exception cref="ArgumentException">The shapes, dtypes or devices do not fit each other.</exception>
    public LinearVotes(Tensor input, Tensor weight, Tensor? mask = null) : base(mask)
    {
        ShapeGuard.Shape(nameof(LinearVotes), weight, nameof(weight), "G, J, D, E",
            [ShapeGuard.Any, ShapeGuard.Any, ShapeGuard.Any, ShapeGuard.Any]);
        ShapeGuard.Shape(nameof(LinearVotes), input, nameof(input), "B, N, D", [ShapeGuard.Any, ShapeGuard.Any, weight.size(2)]);
        ShapeGuard.Floating(nameof(LinearVotes), input, nameof(input));
        ShapeGuard.Like(nameof(LinearVotes), input, nameof(input), weight, nameof(weight));
        CheckGroups(nameof(LinearVotes), input, weight);
        (Input, Weight) = (input, weight);
        CheckMask(nameof(LinearVotes));
        Input = mask is null ? input : Present(input, mask);
    }

    /// <summary>The input capsules u (B, N, D): as given, or with zeros for absent ones.</summary>
    public override Tensor Input { get; }

    /// <summary>The transformation matrices W (G, J, D, E), as given.</summary>
    public Tensor Weight { get; }

    /// <inheritdoc/>
    public override long Batch => Input.size(0);

    /// <inheritdoc/>
    public override long InCapsules => Input.size(1);

    /// <inheritdoc/>
    public override long OutCapsules => Weight.size(1);

    /// <inheritdoc/>
    public override long OutDim => Weight.size(3);

    /// <inheritdoc/>
    public override ScalarType Dtype => Functional.Wide(Weight.dtype);

    /// <inheritdoc/>
    public override Device Device => Weight.device;

    /// <inheritdoc/>
    public override Tensor Sum()
    {
        using var scope = NewDisposeScope();
        return einsum("bgpd,gjde->bje", GroupedInput(), WideWeight()).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor WeightedSum(Tensor coupling)
    {
        CheckCoupling(coupling);
        using var scope = NewDisposeScope();
        var u = GroupedInput();
        var grouped = Functional.Wide(coupling).reshape(Batch, u.size(1), u.size(2), OutCapsules);
        var scaled = einsum("bgpj,bgpd->bgjd", grouped, u);
        return einsum("bgjd,gjde->bje", scaled, WideWeight()).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor Agreement(Tensor outputs)
    {
        CheckOutputs(outputs);
        using var scope = NewDisposeScope();
        var expected = einsum("bje,gjde->bgjd", Functional.Wide(outputs), WideWeight());      // W_ij v_j: the input that would agree
        return einsum("bgjd,bgpd->bgpj", expected, GroupedInput()).reshape(Batch, InCapsules, OutCapsules).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor Materialize()
    {
        using var scope = NewDisposeScope();
        return einsum("bgpd,gjde->bgpje", GroupedInput(), WideWeight())
            .reshape(Batch, InCapsules, OutCapsules, OutDim).MoveToOuterDisposeScope();
    }

    // (B, G, P, D): P consecutive input capsules share one of G groups of matrices.
    private Tensor GroupedInput()
    {
        var groups = Weight.size(0);
        return Functional.Wide(Input).reshape(Batch, groups, InCapsules / groups, Input.size(2));
    }

    private Tensor WideWeight() => Functional.Wide(Weight);

    /// <summary>Throws unless the groups of matrices divide the input capsules.</summary>
    internal static void CheckGroups(string owner, Tensor input, Tensor weight)
    {
        var (capsules, groups) = (input.size(1), weight.size(0));
        if (groups == 0 || capsules % groups != 0)
        {
            throw new ArgumentException(
                $"{owner} expected weight for as many groups as divide the {capsules} input capsules, " +
                $"but got {ShapeGuard.Text(weight.shape)} with {groups} groups.",
                nameof(weight));
        }
    }
}
