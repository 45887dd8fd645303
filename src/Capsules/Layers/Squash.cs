using static TorchSharp.torch;

namespace Capsules;

/// <summary>Squashes vectors to a length in [0, 1): <see cref="Functional.squash"/> as a module.</summary>
public sealed class Squash : nn.Module<Tensor, Tensor>
{
    /// <summary>Makes the module.</summary>
    /// <param name="dim">The dimension that holds a vector's entries. Default: the last.</param>
    /// <param name="eps">Added to |s|^2 under the square root: 0 (default), or at least 1.2e-38.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="eps"/> is out of its range.</exception>
    public Squash(long dim = -1, double eps = 0) : base(nameof(Squash))
    {
        Functional.CheckEps(eps);
        (Dim, Eps) = (dim, eps);
    }

    /// <summary>The dimension that holds a vector's entries.</summary>
    public long Dim { get; }

    /// <summary>What is added to |s|^2 under the square root.</summary>
    public double Eps { get; }

    /// <summary>Squashes <paramref name="input"/>.</summary>
    /// <param name="input">Vectors of any shape.</param>
    /// <returns>Vectors of the same shape.</returns>
    public override Tensor forward(Tensor input) => Functional.squash(input, Dim, Eps);
}
