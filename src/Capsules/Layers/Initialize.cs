using System.Runtime.InteropServices;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>How parameters are drawn.</summary>
public static class Initialize
{
    /// <summary>
    /// A parameter that no dispose scope owns (one that is alive around a constructor would take it along).
    /// </summary>
    internal static Parameter Parameter(long[] shape, Device? device, ScalarType? dtype, Action<Tensor> draw)
    {
        var parameter = new Parameter(Sized(() => empty(shape, dtype ?? ScalarType.Float32, device), shape).DetachFromDisposeScope());
        parameter.DetachFromDisposeScope();
        using var noGrad = no_grad();
        draw(parameter);
        return parameter;
    }

    /// <summary>Makes what has weights of a shape, and words it where there is no memory, or no number, for so many.</summary>
    internal static T Sized<T>(Func<T> make, params long[] shape)
    {
        try
        {
            return make();
        }
        catch (ExternalException failure)
        {
            throw new ArgumentException(
                $"Weights of shape {ShapeGuard.Text(shape)} cannot be made ({failure.Message.Split('\n')[0].TrimEnd('.')}). Use smaller sizes, or another device or dtype.", failure);
        }
    }

    /// <summary>Draws a normal truncated at two standard deviations (of the parent normal), as TensorFlow's truncated_normal.</summary>
    /// <remarks>
    /// <para>By the inverse of its distribution function. TorchSharp 0.107.0's trunc_normal_ gives nothing but +-std.</para>
    /// <para>The initialisation of the 2017 authors' code: 0.05 for the first convolution, 0.1 elsewhere.</para>
    /// </remarks>
    /// <param name="tensor">The tensor that is overwritten, of a floating-point dtype.</param>
    /// <param name="std">The standard deviation before truncation (it is 0.8796 of this after), finite and at least 0.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="std"/> is negative, infinite or not a number.</exception>
    /// <exception cref="ArgumentException"><paramref name="tensor"/> is not floating-point.</exception>
    public static void TruncatedNormal(Tensor tensor, double std)
    {
        ShapeGuard.Floating(nameof(TruncatedNormal), tensor, nameof(tensor));
        if (!(std >= 0 && double.IsFinite(std)))
        {
            throw new ArgumentOutOfRangeException(nameof(std), std, "std must be finite and at least 0.");
        }

        const double WithinTwo = 0.95449973610364158;      // erf(2 / sqrt(2))
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        using Scalar scale = (std * Math.Sqrt(2)).ToScalar(), least = (-2 * std).ToScalar(), most = (2 * std).ToScalar();
        var drawn = empty(tensor.shape, Functional.Wide(tensor.dtype), tensor.device);      // half precisions have few uniform numbers
        tensor.copy_(drawn.uniform_(-WithinTwo, WithinTwo).erfinv_().mul_(scale).clamp_(least, most));
    }

    /// <summary>Sets all entries to a number.</summary>
    internal static void Constant(Tensor tensor, double value)
    {
        using var scalar = value.ToScalar();
        nn.init.constant_(tensor, scalar);
    }

    /// <summary>As PyTorch draws weights and biases of convolutions and linear layers: uniform in +-1 / sqrt(fan in).</summary>
    internal static void Uniform(Tensor tensor, long fanIn) => nn.init.uniform_(tensor, -1 / Math.Sqrt(fanIn), 1 / Math.Sqrt(fanIn));
}
