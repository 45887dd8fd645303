using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>What routing decided about some images, and where the capsules lie that it decided about.</summary>
/// <param name="Result">Class capsules (B, J, E) and coupling coefficients (B, N, J).</param>
/// <param name="Lengths">The lengths (B, N) of the primary capsules, in the order type, row, column.</param>
/// <param name="Height">The rows of the grid on which every type of primary capsule lies.</param>
/// <param name="Width">Its columns.</param>
internal sealed record RoutingView(RoutingResult Result, Tensor Lengths, long Height, long Width)
{
    /// <summary>The coupling coefficients (B, T, H, W, J).</summary>
    public Tensor Coupling => Result.Coupling!.reshape(Lengths.size(0), -1, Height, Width, Result.Coupling!.size(2));

    /// <summary>The lengths (B, T, H, W).</summary>
    public Tensor GridLengths => Lengths.reshape(Lengths.size(0), -1, Height, Width);

    public RoutingView MoveToOuterDisposeScope()
    {
        Result.MoveToOuterDisposeScope();
        Lengths.MoveToOuterDisposeScope();
        return this;
    }
}
