using System.Runtime.CompilerServices;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>The one place where shape, dtype and device errors are found and worded.</summary>
internal static class ShapeGuard
{
    /// <summary>Any size will do at this place of an expected shape.</summary>
    public const long Any = -1;

    /// <summary>
    /// Throws unless <paramref name="tensor"/> has the expected shape:
    /// "{owner} expected {argument} of shape (B, N, D) = (*, 1152, 8), but got (128, 8, 1152). {fix}".
    /// </summary>
    /// <param name="owner">The layer or function that speaks.</param>
    /// <param name="tensor">The argument.</param>
    /// <param name="argument">The argument's name.</param>
    /// <param name="letters">The expected shape in letters, as "B, N, D".</param>
    /// <param name="expected">The expected sizes; <see cref="Any"/> where any will do.</param>
    /// <param name="fix">The likely fix, given the actual shape; null or empty when there is none to name.</param>
    /// <param name="like">
    /// The argument that has given the expected sizes, which may as well be the wrong one: it is named with its shape, "as input (128, 1152, 8)".
    /// </param>
    /// <param name="likeName">Its name.</param>
    public static void Shape(
        string owner, Tensor tensor, string argument, string letters, ReadOnlySpan<long> expected, Func<long[], string?>? fix = null,
        Tensor? like = null, [CallerArgumentExpression(nameof(like))] string likeName = "")
    {
        ArgumentNullException.ThrowIfNull(tensor, argument);
        var actual = tensor.shape;
        if (Matches(actual, expected))
        {
            return;
        }

        var sizes = new string[expected.Length];
        for (var i = 0; i < expected.Length; i++)
        {
            sizes[i] = expected[i] == Any ? "*" : $"{expected[i]}";
        }

        var source = like is null ? "" : $", as {likeName} {Text(like.shape)}";
        var message = $"{owner} expected {argument} of shape ({letters}) = ({string.Join(", ", sizes)}){source}, but got {Text(actual)}.";
        throw new ArgumentException(fix?.Invoke(actual) is { Length: > 0 } hint ? $"{message} {hint}" : message, argument);
    }

    /// <summary>Throws unless <paramref name="tensor"/> has a floating-point dtype.</summary>
    public static void Floating(string owner, Tensor tensor, string argument)
    {
        ArgumentNullException.ThrowIfNull(tensor, argument);
        if (!tensor.is_floating_point())
        {
            throw new ArgumentException(
                $"{owner} expected {argument} of a floating-point dtype, but got {tensor.dtype}. " +
                $"Convert it with {argument}.to(torch.float32).", argument);
        }
    }

    /// <summary>Throws unless <paramref name="tensor"/> is a Bool tensor.</summary>
    public static void Bool(string owner, Tensor tensor, string argument)
    {
        ArgumentNullException.ThrowIfNull(tensor, argument);
        if (tensor.dtype != ScalarType.Bool)
        {
            throw new ArgumentException(
                $"{owner} expected {argument} of dtype Bool, but got {tensor.dtype}. Convert it with {argument}.to(torch.@bool).",
                argument);
        }
    }

    /// <summary>
    /// Throws unless <paramref name="tensor"/> has the dtype and the device of the module's <paramref name="parameter"/>.
    /// </summary>
    public static void Like(string owner, Tensor tensor, string argument, Tensor parameter, string parameterName)
    {
        ArgumentNullException.ThrowIfNull(tensor, argument);
        if (tensor.dtype != parameter.dtype)
        {
            throw new ArgumentException(
                $"{owner} expected {argument} of dtype {parameter.dtype}, as its {parameterName}, but got {tensor.dtype}. " +
                $"Convert one of them: {argument}.to(torch.ScalarType.{parameter.dtype}), " +
                $"or the module with .to(torch.ScalarType.{tensor.dtype}).", argument);
        }

        SameDevice(owner, tensor, argument, parameter.device, parameterName);
    }

    /// <summary>Throws unless <paramref name="tensor"/> is on the device of something else.</summary>
    public static void SameDevice(string owner, Tensor tensor, string argument, Device device, string otherName)
    {
        ArgumentNullException.ThrowIfNull(tensor, argument);
        if (tensor.device_type != device.type || tensor.device_index != device.index)
        {
            throw new ArgumentException(
                $"{owner} expected {argument} on {device}, as {otherName}, but got it on {tensor.device}. " +
                "Move one of them with .to(...).", argument);
        }
    }

    /// <summary>Throws unless a module's dtype is a floating-point one.</summary>
    public static void ParameterDtype(string owner, ScalarType? dtype)
    {
        if (dtype is not (null or ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float32 or ScalarType.Float64))
        {
            throw new ArgumentException($"{owner} expected a floating-point dtype for its parameters, but got {dtype}.", nameof(dtype));
        }
    }

    /// <summary>Throws unless <paramref name="labels"/> are int64 and lie in [0, <paramref name="classes"/>).</summary>
    public static void Labels(string owner, Tensor labels, string argument, long classes)
    {
        if (labels.dtype != ScalarType.Int64)
        {
            throw new ArgumentException(
                $"{owner} expected {argument} of dtype Int64, but got {labels.dtype}. Convert them with {argument}.to(torch.int64).",
                argument);
        }

        Range(owner, labels, argument, 0, classes - 1, $"for {classes} capsules");
    }

    /// <summary>Throws unless all values lie in [least, most].</summary>
    public static void Range(string owner, Tensor values, string argument, long least, long most, string why)
    {
        if (values.numel() == 0)
        {
            return;
        }

        if (values.device_type == DeviceType.META)
        {
            throw new ArgumentException(
                $"{owner} expected {argument} in [{least}, {most}], {why}, but got a tensor on the device META, which has no values. " +
                "Give one on the CPU or a GPU.", argument);
        }

        using var scope = NewDisposeScope();
        var bounds = stack([values.min().to(ScalarType.Float64), values.max().to(ScalarType.Float64)]);
        var range = bounds.cpu().data<double>();      // one transfer
        if (!(range[0] >= least && range[1] <= most))
        {
            throw new ArgumentException(
                $"{owner} expected {argument} in [{least}, {most}], {why}, but got values from {range[0]} to {range[1]}.", argument);
        }
    }

    /// <summary>A shape as text: "(128, 8, 1152)".</summary>
    public static string Text(ReadOnlySpan<long> shape) => $"({string.Join(", ", shape.ToArray())})";

    private static bool Matches(long[] actual, ReadOnlySpan<long> expected)
    {
        if (actual.Length != expected.Length)
        {
            return false;
        }

        for (var i = 0; i < actual.Length; i++)
        {
            if (expected[i] != Any && expected[i] != actual[i])
            {
                return false;
            }
        }

        return true;
    }
}
