using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>
/// Class capsules: capsules at all positions of a grid vote for one capsule a class, with weights shared by all positions.
/// </summary>
/// <remarks>
/// <para>Capsules (B, T, H, W, D) to (B, J, E). All positions of a type share one transformation matrix per class; grids of any size
/// will do.</para>
/// <para>With coordinate addition, where a capsule sits is added to its votes: (row + 0.5) / H to the last entry of the vote matrix's
/// first row, (column + 0.5) / W to the last entry of its second row, the entries that move in an affine transformation.</para>
/// <para>State dict: <c>weight</c> (T, J, D, E), for matrix capsules (T, J, P, P); <c>bias</c> (J, E) where there is one; the routing's
/// own parameters under <c>routing.</c>.</para>
/// <para>Hinton, Sabour, Frosst, "Matrix capsules with EM routing", 2018, section 4 (Class Capsules, Coordinate Addition).
/// https://openreview.net/forum?id=HJWLfGWRb. The paper does not give the scale of the coordinates; this is that of Gritzman 2019
/// (https://arxiv.org/abs/1907.00652).</para>
/// <code>var (poses, activations) = classes.Route(poses, activations);</code>
/// </remarks>
public sealed class ClassCapsuleLayer : nn.Module<Tensor, Tensor>
{
    private Parameter weight;

    private Parameter? bias;

    private readonly Routing routing;

    private readonly CapsuleTransform _transform;

    /// <summary>Makes a layer.</summary>
    /// <param name="inTypes">T, the input capsule types, at least 1.</param>
    /// <param name="inDim">D, their dimension; P * P for matrices.</param>
    /// <param name="outCapsules">J, the classes, at least 1.</param>
    /// <param name="outDim">E, the dimension of a class capsule; P * P for matrices.</param>
    /// <param name="routing">
    /// The routing; it becomes part of this layer. Where it has sizes: inCapsules is T, outCapsules J, outDim E.
    /// </param>
    /// <param name="coordinateAddition">Whether positions are added to votes; for matrices of 2 x 2 or more. Default: false.</param>
    /// <param name="positions">
    /// About how many positions the grids have, height * width, at least 1. Routings that sum votes need it for their initial weights:
    /// standard deviation 1 / (c sqrt(positions * T * E)), c being their initial coupling, mostly 1 / J. Those that use activations take
    /// means, draw with 1 / sqrt(E) and need none. E is P for matrices. Default: none.
    /// </param>
    /// <param name="kind">Vectors (default) or matrices.</param>
    /// <param name="bias">Whether there is a bias (J, E), zero at first. Default: false.</param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of its range.</exception>
    /// <exception cref="ArgumentException">
    /// Dimensions do not fit the kind or coordinate addition, the routing uses no bias or needs <paramref name="positions"/>, or the dtype
    /// is not floating-point.
    /// </exception>
    public ClassCapsuleLayer(
        long inTypes,
        long inDim,
        long outCapsules,
        long outDim,
        Routing routing,
        bool coordinateAddition = false,
        long? positions = null,
        CapsuleKind kind = CapsuleKind.Vector,
        bool bias = false,
        Device? device = null,
        ScalarType? dtype = null)
        : base(nameof(ClassCapsuleLayer))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(inTypes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(outCapsules, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(positions ?? 1, 1, nameof(positions));
        ArgumentNullException.ThrowIfNull(routing);
        ShapeGuard.ParameterDtype(nameof(ClassCapsuleLayer), dtype);
        _transform = new CapsuleTransform(nameof(ClassCapsuleLayer), kind, inDim, outDim);
        _transform.CheckUse(routing, RoutingInputs.Bias, bias, nameof(bias));
        if (coordinateAddition && (kind != CapsuleKind.Matrix || outDim < 4))
        {
            throw new ArgumentException(
                "ClassCapsuleLayer adds coordinates to the last column of vote matrices of 2 x 2 or more. " +
                "Use kind: CapsuleKind.Matrix, or no coordinate addition.",
                nameof(coordinateAddition));
        }

        if (positions is null && !routing.Uses.HasFlag(RoutingInputs.Activations))
        {
            throw new ArgumentException(
                $"ClassCapsuleLayer draws its weights by how many votes {routing.GetName()} sums. Give positions: the height times the width of the grid.",
                nameof(positions));
        }

        (InTypes, InDim, OutCapsules, OutDim, CoordinateAddition) = (inTypes, inDim, outCapsules, outDim, coordinateAddition);
        weight = Initialize.Parameter([inTypes, outCapsules, .. _transform.MatrixShape], device, dtype,
            w => _transform.Draw(w, routing, (double)(positions ?? 1) * inTypes, outCapsules));
        this.bias = bias ? Initialize.Parameter([outCapsules, outDim], device, dtype, b => nn.init.zeros_(b)) : null;
        this.routing = routing;
        RegisterComponents();
        if (device is not null)
        {
            (_deviceType, _deviceIndex) = (device.type, device.index);
        }
    }

    /// <summary>T, the input capsule types.</summary>
    public long InTypes { get; }

    /// <summary>D, their dimension.</summary>
    public long InDim { get; }

    /// <summary>J, the classes.</summary>
    public long OutCapsules { get; }

    /// <summary>E, the dimension of a class capsule.</summary>
    public long OutDim { get; }

    /// <summary>Whether positions are added to votes.</summary>
    public bool CoordinateAddition { get; }

    /// <summary>The transformation matrices, (T, J, D, E), or (T, J, P, P).</summary>
    public Parameter Weight => weight;

    /// <summary>The bias (J, E), or null.</summary>
    public Parameter? Bias => bias;

    /// <summary>The routing.</summary>
    public Routing Routing => routing;

    /// <summary>Whether the capsules are vectors or pose matrices.</summary>
    public CapsuleKind Kind => _transform.Kind;

    /// <summary>Turns capsules on a grid into class capsules.</summary>
    /// <param name="input">Capsules (B, T, H, W, D), of the dtype and on the device of the weight.</param>
    /// <returns>Capsules (B, J, E); for their activations call <see cref="Route"/>.</returns>
    /// <exception cref="ArgumentException">A shape, dtype or device does not fit.</exception>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return Route(input).Capsules.MoveToOuterDisposeScope();
    }

    /// <summary>Turns capsules on a grid into class capsules, with more said and more given back than <see cref="forward"/>.</summary>
    /// <param name="input">Capsules (B, T, H, W, D), of the dtype and on the device of the weight.</param>
    /// <param name="activations">
    /// Activations (B, T, H, W) of the input capsules, for routings that use them. Default: the lengths of vector capsules; matrix
    /// capsules need them.
    /// </param>
    /// <param name="mask">Which input capsules are there: Bool (B, T, H, W). Default: all.</param>
    /// <param name="coupling">Whether the coupling coefficients are wanted. Default: false.</param>
    /// <returns>
    /// Capsules (B, J, E), activations (B, J) where the routing gives them, and coupling coefficients (B, T * H * W, J) when asked for,
    /// in the dtype of <paramref name="input"/>.
    /// </returns>
    /// <exception cref="ArgumentException">A shape, dtype or device does not fit.</exception>
    /// <exception cref="NotSupportedException">The routing has no use for an argument that was given.</exception>
    public RoutingResult Route(Tensor input, Tensor? activations = null, Tensor? mask = null, bool coupling = false)
    {
        Check(input);
        using var scope = NewDisposeScope();
        _transform.CheckMask(input, mask, "B, T, H, W");
        activations = _transform.Activations(routing, input, activations, mask, "B, T, H, W");
        var result = routing.Route(Votes(input, mask), bias, activations: activations?.flatten(1), coupling: coupling);
        return CapsuleTransform.As(result, input.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>One pass of a routing that runs pass by pass: for <see cref="Functional.route_concurrently"/>.</summary>
    /// <param name="input">Capsules (B, T, H, W, D).</param>
    /// <param name="outputs">This layer's output capsules (B, J, E) of the pass before; null (default) in the first pass.</param>
    /// <returns>Capsules (B, J, E).</returns>
    /// <exception cref="ArgumentException">A shape, dtype or device does not fit.</exception>
    /// <exception cref="NotSupportedException">The routing does not run pass by pass.</exception>
    public Tensor Update(Tensor input, Tensor? outputs = null)
    {
        Check(input);
        using var scope = NewDisposeScope();
        return routing.Update(Votes(input, null), outputs).to_type(input.dtype).MoveToOuterDisposeScope();
    }

    private void Check(Tensor input)
    {
        ShapeGuard.Shape(nameof(ClassCapsuleLayer), input, nameof(input), "B, T, H, W, D",
            [ShapeGuard.Any, InTypes, ShapeGuard.Any, ShapeGuard.Any, InDim],
            shape => shape.Length switch
            {
                3 => $"Capsules of a list become a grid by input.reshape(B, {InTypes}, H, W, {InDim}).",
                4 => "Capsules along one dimension, (B, T, L, D), become a grid by input.unsqueeze(2).",
                _ => null,
            });
        ShapeGuard.Like(nameof(ClassCapsuleLayer), input, nameof(input), weight, nameof(weight));
    }

    // Types come first in the list of capsules, so the positions of a type are neighbours and share its matrix.
    private Votes Votes(Tensor input, Tensor? mask)
    {
        var votes = _transform.Votes(input.flatten(1, -2), weight, mask?.flatten(1));
        return CoordinateAddition ? new TranslatedVotes(votes, Coordinates(votes, input.size(2), input.size(3))) : votes;
    }

    // (T * H * W, E): zero but for the last entries of the first and second row of the vote matrix.
    private Tensor Coordinates(Votes votes, long height, long width)
    {
        var side = _transform.MatrixShape[0];
        var rows = Centres(height).reshape(-1, 1, 1).expand(height, width, 1);
        var columns = Centres(width).reshape(1, -1, 1).expand(height, width, 1);
        var gap = Gap(side - 1);
        return cat([gap, rows, gap, columns, Gap(OutDim - 2 * side)], dim: -1).expand(InTypes, height, width, OutDim).reshape(-1, OutDim);

        Tensor Gap(long entries) => zeros([height, width, entries], votes.Dtype, votes.Device);

        Tensor Centres(long size)
        {
            var numbers = ones([size], votes.Dtype, votes.Device).cumsum(0);
            return Arithmetic.Times(Arithmetic.Plus(numbers, -0.5), 1.0 / size);
        }
    }
}
