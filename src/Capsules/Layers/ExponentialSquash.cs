using static TorchSharp.torch;

namespace Capsules;

/// <summary>Efficient-CapsNet's squash: <see cref="Functional.exponential_squash"/> as a module.</summary>
public sealed class ExponentialSquash : nn.Module<Tensor, Tensor>
{
    /// <summary>Makes the module.</summary>
    /// <param name="dim">The dimension that holds a vector's entries. Default: the last.</param>
    public ExponentialSquash(long dim = -1) : base(nameof(ExponentialSquash)) => Dim = dim;

    /// <summary>The dimension that holds a vector's entries.</summary>
    public long Dim { get; }

    /// <summary>Squashes <paramref name="input"/>.</summary>
    /// <param name="input">Vectors of any shape.</param>
    /// <returns>Vectors of the same shape.</returns>
    public override Tensor forward(Tensor input) => Functional.exponential_squash(input, Dim);
}
