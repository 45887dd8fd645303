using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>How parameters are made and drawn.</summary>
internal static class Initialize
{
    /// <summary>
    /// A parameter that no dispose scope owns (one that is alive around a constructor would take it along).
    /// </summary>
    public static Parameter Parameter(long[] shape, Device? device, ScalarType? dtype, Action<Tensor> draw)
    {
        var parameter = new Parameter(empty(shape, dtype ?? ScalarType.Float32, device).DetachFromDisposeScope());
        parameter.DetachFromDisposeScope();
        using var noGrad = no_grad();
        draw(parameter);
        return parameter;
    }

    /// <summary>
    /// Weights of a convolution or a linear layer. Paper: as PyTorch draws them, uniform in +-1 / sqrt(fan in).
    /// Official code: a truncated normal.
    /// </summary>
    public static void Weight(Tensor weight, Preset preset, double officialStd, long fanIn)
    {
        if (preset == Preset.OfficialCode)
        {
            TruncatedNormal(weight, officialStd);
        }
        else
        {
            Uniform(weight, 1 / Math.Sqrt(fanIn));
        }
    }

    /// <summary>Biases. Paper: as PyTorch draws them, uniform in +-1 / sqrt(fan in). Official code: 0.1.</summary>
    public static void Bias(Tensor bias, Preset preset, long fanIn)
    {
        if (preset == Preset.OfficialCode)
        {
            nn.init.constant_(bias, 0.1);
        }
        else
        {
            Uniform(bias, 1 / Math.Sqrt(fanIn));
        }
    }

    /// <summary>A normal truncated at two standard deviations (of the parent normal), as TensorFlow's truncated_normal.</summary>
    /// <remarks>By the inverse of its distribution function. TorchSharp 0.107.0's trunc_normal_ gives nothing but +-std.</remarks>
    public static void TruncatedNormal(Tensor tensor, double std)
    {
        const double WithinTwo = 0.95449973610364158;      // erf(2 / sqrt(2))
        tensor.uniform_(-WithinTwo, WithinTwo).erfinv_().mul_(std * Math.Sqrt(2)).clamp_(-2 * std, 2 * std);
    }

    private static void Uniform(Tensor tensor, double bound) => nn.init.uniform_(tensor, -bound, bound);
}
