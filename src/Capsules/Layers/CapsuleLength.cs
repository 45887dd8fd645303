using static TorchSharp.torch;

namespace Capsules;

/// <summary>The length of every capsule, (B, J, E) to (B, J): <see cref="Functional.length"/> as a module.</summary>
public sealed class CapsuleLength : nn.Module<Tensor, Tensor>
{
    /// <summary>Makes the module.</summary>
    /// <param name="dim">The dimension that holds a capsule's entries. Default: the last.</param>
    /// <param name="keepdim">Whether <paramref name="dim"/> stays as a dimension of size 1. Default: false.</param>
    public CapsuleLength(long dim = -1, bool keepdim = false) : base(nameof(CapsuleLength)) => (Dim, KeepDim) = (dim, keepdim);

    /// <summary>The dimension that holds a capsule's entries.</summary>
    public long Dim { get; }

    /// <summary>Whether that dimension stays with size 1.</summary>
    public bool KeepDim { get; }

    /// <summary>Measures <paramref name="input"/>.</summary>
    /// <param name="input">Capsules, usually (B, J, E).</param>
    /// <returns>Lengths, usually (B, J).</returns>
    public override Tensor forward(Tensor input) => Functional.length(input, Dim, KeepDim);
}
