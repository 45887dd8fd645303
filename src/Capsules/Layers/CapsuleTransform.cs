using static TorchSharp.torch;

namespace Capsules;

/// <summary>What capsule layers have in common: how they make votes of capsules, and what their routing can use.</summary>
internal sealed class CapsuleTransform
{
    private readonly string _owner;

    /// <param name="owner">The layer that speaks in errors.</param>
    /// <param name="kind">What the capsules are.</param>
    /// <param name="inDim">D, at least 1; a square for matrices.</param>
    /// <param name="outDim">E, at least 1; the same as D for matrices.</param>
    public CapsuleTransform(string owner, CapsuleKind kind, long inDim, long outDim)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(inDim, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(outDim, 1);
        var side = (long)Math.Round(Math.Sqrt(inDim));
        (_owner, Kind) = (owner, kind);
        MatrixShape = kind == CapsuleKind.Matrix ? [side, side] : [inDim, outDim];
        if (kind == CapsuleKind.Matrix && (side * side != inDim || inDim != outDim))
        {
            throw new ArgumentException(
                $"{owner} expected inDim and outDim to be the same square P * P for matrix capsules, but got {inDim} and {outDim}. " +
                "A pose of 4 x 4 has 16.", nameof(outDim));
        }
    }

    public CapsuleKind Kind { get; }

    /// <summary>The shape of one transformation matrix: (D, E), or (P, P).</summary>
    public long[] MatrixShape { get; }

    /// <summary>
    /// Draws initial weights from a normal distribution. For routings that sum votes: standard deviation 1 / (c sqrt(N E)), c being
    /// the initial coupling, mostly 1 / J, with which an output's input is as long as an input capsule. For those that take means,
    /// weighted by activations: 1 / sqrt(E), with which a vote is. For matrices, whose rows are transformed one by one, E is P.
    /// </summary>
    public void Draw(Tensor weight, Routing routing, double inCapsules, long outCapsules)
    {
        var perVote = 1 / Math.Sqrt(MatrixShape[1]);
        var averages = routing.Uses.HasFlag(RoutingInputs.Activations);
        nn.init.normal_(weight, 0, averages ? perVote : perVote / (routing.InitialCoupling(outCapsules) * Math.Sqrt(inCapsules)));
    }

    /// <summary>The votes of capsules (B, N, D) through matrices (G, J, D, E) or (G, J, P, P).</summary>
    public Votes Votes(Tensor input, Tensor weight, Tensor? mask, SharedParents? parents = null) => Kind == CapsuleKind.Matrix
        ? new MatrixVotes(input, weight, mask) { Parents = parents }
        : new LinearVotes(input, weight, mask) { Parents = parents };

    /// <summary>The activations to route with: those given, or a vector's length where the routing uses any.</summary>
    /// <remarks>An absent capsule's length is not taken: of NaN it has no gradient that a mask could stop later.</remarks>
    public Tensor? Activations(Routing routing, Tensor input, Tensor? activations, Tensor? mask, string letters)
    {
        if (activations is not null)
        {
            ShapeGuard.Shape(_owner, activations, nameof(activations), letters, input.shape.AsSpan()[..^1], like: input);
            ShapeGuard.Like(_owner, activations, nameof(activations), input, nameof(input));
            return activations;
        }

        if (!routing.Uses.HasFlag(RoutingInputs.Activations))
        {
            return null;
        }

        return Kind == CapsuleKind.Vector ? Functional.length(Capsules.Votes.Present(input, mask)) : throw new ArgumentException(
            $"{_owner} with {routing.GetName()} needs the activations of its matrix capsules. Call Route(poses, activations: ...).",
            nameof(activations));
    }

    /// <summary>Throws unless a mask has the shape of the capsules and is a Bool tensor.</summary>
    public void CheckMask(Tensor input, Tensor? mask, string letters)
    {
        if (mask is not null)
        {
            ShapeGuard.Shape(_owner, mask, nameof(mask), letters, input.shape.AsSpan()[..^1], like: input);
            ShapeGuard.Bool(_owner, mask, nameof(mask));
            ShapeGuard.SameDevice(_owner, mask, nameof(mask), input.device, nameof(input));
        }
    }

    /// <summary>Throws where a layer is to have a parameter that its routing does not use.</summary>
    public void CheckUse(Routing routing, RoutingInputs input, bool wanted, string argument)
    {
        if (wanted && !routing.Uses.HasFlag(input))
        {
            throw new ArgumentException(
                $"{_owner}'s routing, {routing.GetName()}, does not use {argument}. Make the layer with {argument}: false.", argument);
        }
    }

    /// <summary>A result in a layer's dtype.</summary>
    public static RoutingResult As(RoutingResult result, ScalarType dtype) =>
        new(result.Capsules.to_type(dtype), result.Activations?.to_type(dtype), result.Coupling?.to_type(dtype));
}
