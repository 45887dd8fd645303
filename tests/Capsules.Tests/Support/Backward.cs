using static TorchSharp.torch;

namespace Capsules.Tests;

/// <summary>Gradients under upstream ones that the shapes determine.</summary>
internal static class Backward
{
    public static Tensor Upstream(Tensor output) =>
        arange(output.numel(), dtype: float64, device: output.device).mul(1.7).sin().reshape(output.shape).to(output.dtype);

    /// <summary>The gradient of each input; zeros where none flows.</summary>
    public static Tensor[] Gradients(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> inputs)
    {
        var gradients = autograd.grad([.. outputs], [.. inputs], [.. outputs.Select(Upstream)], allow_unused: true);
        return [.. gradients.Select((gradient, i) => gradient is null || gradient.IsInvalid ? zeros_like(inputs[i]) : gradient)];
    }
}
