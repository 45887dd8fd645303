using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Capsules;

/// <summary>
/// <see cref="Functional"/> where users of TorchSharp look: <c>torch.nn.functional.squash(x)</c>, as <c>torch.nn.functional.relu(x)</c>.
/// </summary>
/// <remarks>
/// These are C# 14's extension members, there with <c>using Capsules;</c> in projects of language version 14 or later (.NET 10's default).
/// They do nothing but call the functions of the same names, which older versions and other languages call directly. Names that say
/// too little beside all of torch's are left out: length, longest, mask, and conv2d, which torch has.
/// </remarks>
public static class TorchFunctional
{
    extension(TorchSharp.torch.nn.functional)
    {
        /// <inheritdoc cref="Functional.squash"/>
        public static Tensor squash(Tensor s, long dim = -1, double eps = 0) => Functional.squash(s, dim, eps);

        /// <inheritdoc cref="Functional.exponential_squash"/>
        public static Tensor exponential_squash(Tensor s, long dim = -1) => Functional.exponential_squash(s, dim);

        /// <inheritdoc cref="Functional.margin_loss"/>
        public static Tensor margin_loss(
            Tensor lengths, Tensor target, double positiveMargin = 0.9, double negativeMargin = 0.1, double negativeWeight = 0.5,
            Preset preset = Preset.Paper, Reduction reduction = Reduction.Mean, Tensor? weight = null) =>
            Functional.margin_loss(lengths, target, positiveMargin, negativeMargin, negativeWeight, preset, reduction, weight);

        /// <inheritdoc cref="Functional.spread_loss"/>
        public static Tensor spread_loss(
            Tensor activations, Tensor target, double margin = 0.9, Reduction reduction = Reduction.Mean, Tensor? weight = null) =>
            Functional.spread_loss(activations, target, margin, reduction, weight);

        /// <inheritdoc cref="Functional.capsule_cross_entropy"/>
        public static Tensor capsule_cross_entropy(
            Tensor activations, Tensor target, bool probabilities = false, Reduction reduction = Reduction.Mean, Tensor? weight = null) =>
            Functional.capsule_cross_entropy(activations, target, probabilities, reduction, weight);

        /// <inheritdoc cref="Functional.reconstruction_loss"/>
        public static Tensor reconstruction_loss(
            Tensor reconstruction, Tensor image, double weight = 0.0005, Reduction reduction = Reduction.Mean) =>
            Functional.reconstruction_loss(reconstruction, image, weight, reduction);
    }
}
