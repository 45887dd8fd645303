using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Capsules;

/// <summary>
/// The library's pure functions, as torch.nn.functional is to torch.nn: <c>using F = Capsules.Functional;</c>.
/// </summary>
/// <remarks>Names are lower_snake_case, as torch's are: <c>F.squash</c> is to <see cref="Squash"/> what relu is to ReLU. Any thread may call.</remarks>
public static partial class Functional
{
    /// <summary>Half precisions widened to float32: squares and their sums do not fit in 8 or 11 bits.</summary>
    internal static Tensor Wide(Tensor x) => x.to_type(Wide(x.dtype));

    /// <summary>The dtype in which values of a dtype are computed.</summary>
    internal static ScalarType Wide(ScalarType dtype) =>
        dtype is ScalarType.Float16 or ScalarType.BFloat16 ? ScalarType.Float32 : dtype;

    // For labels (B, K): 1 at every label of a row of (B, classes), 0 elsewhere.
    private static Tensor OneHot(Tensor labels, long classes, ScalarType dtype)
    {
        var present = ones(labels.shape, dtype, labels.device);
        return zeros([labels.size(0), classes], dtype, labels.device).scatter_(1, labels, present);
    }

    private static Tensor Reduce(Tensor perSample, Reduction reduction) => reduction switch
    {
        Reduction.Mean => perSample.mean(),
        Reduction.Sum => perSample.sum(),
        _ => perSample,
    };

    // Losses (B), each times the weight of its target class; their mean is divided by the sum of these weights, as torch's.
    private static Tensor Reduce(Tensor perSample, Reduction reduction, Tensor target, Tensor? weight)
    {
        if (weight is null)
        {
            return Reduce(perSample, reduction);
        }

        var weights = weight.to_type(perSample.dtype).index_select(0, target);
        var weighted = perSample * weights;
        return reduction == Reduction.Mean ? weighted.sum() / weights.sum() : Reduce(weighted, reduction);
    }

    // Class weights (J) for lengths or activations (B, J). torch's losses give them no gradient either.
    private static void CheckClassWeight(string owner, Tensor? weight, Tensor input, string name)
    {
        if (weight is null)
        {
            return;
        }

        ShapeGuard.Shape(owner, weight, nameof(weight), "J", [input.size(1)], null, input, name);
        ShapeGuard.Like(owner, weight, nameof(weight), input, name);
        if (weight.requires_grad)
        {
            throw new ArgumentException($"{owner} gives its weight no gradient. Use weight.detach().", nameof(weight));
        }
    }

    private static void CheckDim(string owner, Tensor tensor, string argument, long dim)
    {
        ShapeGuard.Floating(owner, tensor, argument);
        if (tensor.dim() == 0)
        {
            throw new ArgumentException($"{owner} expected {argument} to have at least one dimension, but got a scalar.", argument);
        }

        if (dim < -tensor.dim() || dim >= tensor.dim())
        {
            throw new ArgumentException(
                $"{owner} expected dim in [{-tensor.dim()}, {tensor.dim() - 1}] for {argument} of shape {ShapeGuard.Text(tensor.shape)}, " +
                $"but got {dim}.", nameof(dim));
        }
    }

    private static void CheckCapsules(string owner, Tensor capsules)
    {
        ShapeGuard.Shape(owner, capsules, nameof(capsules), "B, J, E", [ShapeGuard.Any, ShapeGuard.Any, ShapeGuard.Any]);
        ShapeGuard.Floating(owner, capsules, nameof(capsules));
    }
}
