using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>
/// How Efficient-CapsNet's authors have Keras draw weights: normal distributions cut at two standard deviations and scaled back to
/// their variance; biases are zero.
/// </summary>
internal static class KerasInitialize
{
    // The standard deviation of a unit normal distribution after it is cut at +-2.
    private const double CutStd = 0.87962566103423978;

    /// <summary>he_normal: variance 2 / fan in.</summary>
    public static void HeNormal(Tensor weight, long fanIn) => Initialize.TruncatedNormal(weight, Math.Sqrt(2.0 / fanIn) / CutStd);

    /// <summary>glorot_normal: variance 2 / (fan in + fan out).</summary>
    public static void GlorotNormal(Tensor weight, long fanIn, long fanOut) =>
        Initialize.TruncatedNormal(weight, Math.Sqrt(2.0 / (fanIn + fanOut)) / CutStd);

    /// <summary>Draws a convolution: he_normal.</summary>
    public static Conv2d Draw(Conv2d convolution)
    {
        var weight = convolution.weight!;
        HeNormal(weight, fanIn: weight.size(1) * weight.size(2) * weight.size(3));
        nn.init.zeros_(convolution.bias!);
        return convolution;
    }

    /// <summary>Draws an instance normalisation: random_uniform, which is between -0.05 and 0.05, for scale and offset.</summary>
    public static InstanceNorm2d Draw(InstanceNorm2d normalisation)
    {
        nn.init.uniform_(normalisation.weight!, -0.05, 0.05);
        nn.init.uniform_(normalisation.bias!, -0.05, 0.05);
        return normalisation;
    }

    /// <summary>Draws a decoder: he_normal in the hidden layers, glorot_normal in the output layer.</summary>
    public static MaskedDecoder Draw(MaskedDecoder decoder)
    {
        var weights = decoder.parameters().Where(parameter => parameter.dim() == 2).ToArray();
        foreach (var weight in weights[..^1])
        {
            HeNormal(weight, fanIn: weight.size(1));
        }

        GlorotNormal(weights[^1], fanIn: weights[^1].size(1), fanOut: weights[^1].size(0));
        foreach (var bias in decoder.parameters().Where(parameter => parameter.dim() == 1))
        {
            nn.init.zeros_(bias);
        }

        return decoder;
    }
}
