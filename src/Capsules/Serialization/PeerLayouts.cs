using static TorchSharp.torch;

namespace Capsules;

/// <summary>How the weights of other implementations of the 2017 network become those of one built of this library's layers.</summary>
/// <remarks>
/// <para>The network's names are <c>conv1</c> (a Conv2d), <c>primary</c> (<see cref="PrimaryCapsule"/>), <c>digits</c>
/// (<see cref="CapsuleLayer"/>) and <c>decoder</c> (<see cref="MaskedDecoder"/> with two hidden layers); one without a decoder takes the
/// rest with <c>strict: false</c>. Sizes are free. What must be set alike in the layers, and how each file is written, stands in
/// docs/weights.md.</para>
/// <para>Names and layouts follow the implementations' sources as of 2026; each was tested with a small network of random weights
/// in its layout, computed by PyTorch in its order of operations. No published checkpoint was at hand: the names of the authors' TensorFlow
/// variables and of leftthomas' modules are unchecked against one.</para>
/// </remarks>
public static class PeerLayouts
{
    private const int DecoderLayers = 3;

    /// <summary>gram-ai/capsule-networks (PyTorch): D convolutions of T channels; routing weights (J, N, D, E).</summary>
    /// <param name="capsuleDim">D, the dimension of a primary capsule. Default: 8.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="capsuleDim"/> is below 1.</exception>
    public static WeightsMapping GramAi(int capsuleDim = 8) => Convolutions(capsuleDim, weight => weight.permute(1, 0, 2, 3));

    /// <summary>leftthomas/CapsNet (PyTorch) since commit d33ad9e: as gram-ai, but routing weights are (J, N, E, D).</summary>
    /// <param name="capsuleDim">D, the dimension of a primary capsule. Default: 8.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="capsuleDim"/> is below 1.</exception>
    public static WeightsMapping Leftthomas(int capsuleDim = 8) => Convolutions(capsuleDim, weight => weight.permute(1, 0, 3, 2));

    /// <summary>XifengGuo/CapsNet-Pytorch: routing weights (J, N, E, D).</summary>
    /// <remarks>
    /// Its primary capsules are pieces of D values of channels-first maps as they lie in memory, D positions of a channel and not D channels of
    /// a position. So <c>primary</c> is no <see cref="PrimaryCapsule"/> but a Conv2d: squash what it gives, reshaped to (B, N, D).
    /// </remarks>
    public static WeightsMapping CapsNetPytorch() => WithDecoder(
        new WeightsMapping
        {
            { "conv1.weight", "conv1.weight" },
            { "conv1.bias", "conv1.bias" },
            { "primary.weight", "primarycaps.conv2d.weight" },
            { "primary.bias", "primarycaps.conv2d.bias" },
            { "digits.weight", "digitcaps.weight", weight => weight.permute(1, 0, 3, 2) },
        },
        (layer, kind) => $"decoder.{2 * layer}.{kind}");

    /// <summary>
    /// XifengGuo/CapsNet-Keras: channels last; routing weights (J, N, E, D) over capsules ordered by row, column, type. The names are the
    /// layers' with the weight's number, as the snippet in docs/weights.md writes them.
    /// </summary>
    public static WeightsMapping CapsNetKeras() => WithDecoder(
        new WeightsMapping
        {
            { "conv1.weight", "conv1.0", ChannelsFirst },
            { "conv1.bias", "conv1.1" },
            { "primary.weight", "primarycap_conv2d.0", ChannelsFirst },
            { "primary.bias", "primarycap_conv2d.1" },
            { "digits.weight", ["digitcaps.0", "primarycap_conv2d.1"], parts => TypesFirst(parts[0].permute(1, 0, 3, 2), parts[1]) },
        },
        (layer, kind) => $"decoder.{2 * layer + (kind == "bias" ? 1 : 0)}", transposed: true);

    /// <summary>
    /// The 2017 authors' code (Sarasra/models, research/capsules; TensorFlow): channels last; routing weights (N, D, J * E). For layers of
    /// <see cref="Preset.OfficialCode"/>. The names are those of the variables, with dots for slashes.
    /// </summary>
    public static WeightsMapping OfficialTensorFlow() => WithDecoder(
        new WeightsMapping
        {
            { "conv1.weight", "conv1.weights", ChannelsFirst },
            { "conv1.bias", "conv1.biases" },
            { "primary.weight", "conv_capsule1.weights", ChannelsFirst },
            { "primary.bias", "conv_capsule1.biases", bias => bias.flatten() },
            { "digits.weight", ["capsule2.weights", "capsule2.biases"], parts => parts[0].unflatten(2, parts[1].shape).permute(0, 2, 1, 3) },
            { "digits.bias", "capsule2.biases" },
        },
        (layer, kind) => $"recons.recons_{layer + 1}.{(kind == "bias" ? "biases" : "weights")}", transposed: true);

    private static WeightsMapping Convolutions(int capsuleDim, Func<Tensor, Tensor> routing)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capsuleDim, 1);
        return WithDecoder(
            new WeightsMapping
            {
                { "conv1.weight", "conv1.weight" },
                { "conv1.bias", "conv1.bias" },
                { "primary.weight", Parts("weight"), TypeMajor },
                { "primary.bias", Parts("bias"), TypeMajor },
                { "digits.weight", "digit_capsules.route_weights", routing },
            },
            (layer, kind) => $"decoder.{2 * layer}.{kind}");

        string[] Parts(string kind) => [.. Enumerable.Range(0, capsuleDim).Select(d => $"primary_capsules.capsules.{d}.{kind}")];
    }

    // Three linear layers; transposed where the file has them (in, out).
    private static WeightsMapping WithDecoder(WeightsMapping mapping, Func<int, string, string> name, bool transposed = false)
    {
        for (var layer = 0; layer < DecoderLayers; layer++)
        {
            mapping.Add($"decoder.layers.{layer}.weight", name(layer, "weight"), weight => transposed ? weight.t() : weight);
            mapping.Add($"decoder.layers.{layer}.bias", name(layer, "bias"));
        }

        return mapping;
    }

    // Rows (N, J, D, E) by position and type to rows by type and position; the convolution's bias (T * D) tells how many types there are.
    private static Tensor TypesFirst(Tensor rows, Tensor bias) =>
        rows.unflatten(0, [-1, bias.reshape(-1, rows.size(2)).size(0)]).transpose(0, 1).flatten(0, 1);

    // D convolutions of T channels to one of T * D, a type's D channels together.
    private static Tensor TypeMajor(IReadOnlyList<Tensor> convolutions) => stack(convolutions, 1).flatten(0, 1);

    // (kh, kw, in, out) to (out, in, kh, kw).
    private static Tensor ChannelsFirst(Tensor kernel) => kernel.permute(3, 2, 0, 1);
}
