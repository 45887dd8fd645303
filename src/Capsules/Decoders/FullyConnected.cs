using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>The fully connected layers of decoders: ReLU between them, sigmoid at the end.</summary>
internal static class FullyConnected
{
    /// <summary>The widths of the hidden layers of the 2017 paper.</summary>
    public static readonly long[] PaperSizes = [512, 1024];

    public static ModuleList<Linear> Layers(
        long features, long[] hiddenSizes, IEnumerable<long> outputShape, Preset preset, Device? device, ScalarType? dtype)
    {
        foreach (var size in hiddenSizes)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(size, 1, nameof(hiddenSizes));
        }

        long[] widths = [features, .. hiddenSizes, outputShape.Aggregate(1L, (product, size) => product * size)];
        var layers = new ModuleList<Linear>();
        for (var i = 1; i < widths.Length; i++)
        {
            var (inputs, outputs) = (widths[i - 1], widths[i]);
            var layer = Initialize.Sized(() => nn.Linear(inputs, outputs, device: device, dtype: dtype), outputs, inputs);
            if (preset == Preset.OfficialCode)
            {
                Initialize.TruncatedNormal(layer.weight!, 0.1);
                Initialize.Constant(layer.bias!, 0.1);
            }

            layers.Add(layer);
        }

        return layers;
    }

    public static Tensor Apply(ModuleList<Linear> layers, Tensor x)
    {
        for (var i = 0; i < layers.Count - 1; i++)
        {
            x = nn.functional.relu(layers[i].call(x));
        }

        return layers[^1].call(x).sigmoid();
    }
}
