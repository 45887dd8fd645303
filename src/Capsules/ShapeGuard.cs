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
    public static void Shape(string owner, Tensor tensor, string argument, string letters, ReadOnlySpan<long> expected, Func<long[], string?>? fix = null)
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

        var message = $"{owner} expected {argument} of shape ({letters}) = ({string.Join(", ", sizes)}), but got {Text(actual)}.";
        throw new ArgumentException(fix?.Invoke(actual) is { Length: > 0 } hint ? $"{message} {hint}" : message, argument);
    }

    /// <summary>Throws unless <paramref name="tensor"/> has a floating-point dtype.</summary>
    public static void Floating(string owner, Tensor tensor, string argument)
    {
        ArgumentNullException.ThrowIfNull(tensor, argument);
        if (!tensor.is_floating_point())
        {
            throw new ArgumentException(
                $"{owner} expected {argument} of a floating-point dtype, but got {tensor.dtype}. Convert it with {argument}.to(torch.float32).", argument);
        }
    }

    /// <summary>Throws unless <paramref name="tensor"/> has the dtype and the device of the module's <paramref name="parameter"/>.</summary>
    public static void Like(string owner, Tensor tensor, string argument, Tensor parameter, string parameterName)
    {
        ArgumentNullException.ThrowIfNull(tensor, argument);
        if (tensor.dtype != parameter.dtype)
        {
            throw new ArgumentException(
                $"{owner} expected {argument} of dtype {parameter.dtype}, as its {parameterName}, but got {tensor.dtype}. " +
                $"Convert one of them: {argument}.to(torch.ScalarType.{parameter.dtype}), or the module with .to(torch.ScalarType.{tensor.dtype}).", argument);
        }

        if (tensor.device_type != parameter.device_type || tensor.device_index != parameter.device_index)
        {
            throw new ArgumentException(
                $"{owner} expected {argument} on {parameter.device}, as its {parameterName}, but got it on {tensor.device}. " +
                $"Move one of them with .to(...).", argument);
        }
    }

    /// <summary>Throws unless <paramref name="labels"/> are int64 and lie in [0, <paramref name="classes"/>).</summary>
    public static void Labels(string owner, Tensor labels, string argument, long classes)
    {
        if (labels.dtype != ScalarType.Int64)
        {
            throw new ArgumentException(
                $"{owner} expected {argument} of dtype Int64, but got {labels.dtype}. Convert them with {argument}.to(torch.int64).", argument);
        }

        if (labels.numel() == 0)
        {
            return;
        }

        using var scope = NewDisposeScope();
        var (least, most) = (labels.min().ToInt64(), labels.max().ToInt64());
        if (least < 0 || most >= classes)
        {
            throw new ArgumentException(
                $"{owner} expected {argument} in [0, {classes - 1}] for {classes} capsules, but got values from {least} to {most}.", argument);
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
