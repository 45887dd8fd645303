using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using static TorchSharp.torch;

namespace Capsules.Tests.WrongUse;

/// <summary>An argument that is wrong in one way: null, of another shape, dtype or device, disposed, negative or enormous.</summary>
/// <param name="What">The way.</param>
/// <param name="Value">The argument.</param>
internal sealed record WrongArgument(string What, object? Value)
{
    private const long Enormous = 1L << 50;

    /// <summary>The ways in which a right argument can be wrong.</summary>
    public static IEnumerable<WrongArgument> Of(ParameterInfo parameter, object? right)
    {
        var type = Nullable.GetUnderlyingType(parameter.ParameterType) ?? parameter.ParameterType;
        if (!type.IsValueType && new NullabilityInfoContext().Create(parameter).WriteState == NullabilityState.NotNull)
        {
            yield return new("null", null);
        }

        switch (right)
        {
            case long:
                foreach (var number in (long[])[-1, 0, long.MinValue])
                {
                    yield return new($"{number}", number);
                }

                yield return new("enormous", Enormous);
                break;
            case int:
                foreach (var number in (int[])[-1, 0, int.MinValue])
                {
                    yield return new($"{number}", number);
                }

                break;
            case double:
                foreach (var number in (double[])[-1, double.NaN, double.PositiveInfinity])
                {
                    yield return new($"{number}", number);
                }

                break;
            case (long, long):
                yield return new("negative", (-1L, 1L));
                yield return new("enormous", (Enormous, Enormous));
                break;
            case long[]:
                yield return new("empty", Array.Empty<long>());
                yield return new("negative", new long[] { 1, -4, 4 });
                yield return new("enormous", new long[] { 1, Enormous, Enormous });
                break;
            case Tensor tensor:
                var disposed = tensor.clone();
                disposed.Dispose();
                yield return new("disposed", disposed);
                yield return new("of another rank", tensor.unsqueeze(0).unsqueeze(0));
                yield return new("a scalar", ones([]));
                yield return new("of complex numbers", tensor.to(ScalarType.ComplexFloat32));
                yield return new("on another device", tensor.to(META));
                if (tensor.is_floating_point())
                {
                    yield return new("of integers", tensor.to(ScalarType.Int32));
                }

                yield return new("of one more row", cat([tensor, tensor]).narrow(0, 0, tensor.size(0) + 1));
                break;
            case string:
                yield return new("empty", "");
                yield return new("unknown", "\0no such thing");
                break;
            default:
                if (type == typeof(ScalarType))
                {
                    yield return new("an integer dtype", ScalarType.Int64);
                }

                break;
        }
    }

    // Reflection gives default(T) of a struct and of an enum as null and as its number.
    public static object? Default(ParameterInfo parameter)
    {
        var type = Nullable.GetUnderlyingType(parameter.ParameterType) ?? parameter.ParameterType;
        return parameter.DefaultValue is { } value && type.IsEnum ? Enum.ToObject(type, value) : parameter.DefaultValue;
    }

    /// <summary>Calls a constructor, a function or a method.</summary>
    /// <returns>What it threw; null for nothing. A native exception is a failure of the test.</returns>
    public static Exception? Call(MethodBase method, object? target, object?[] arguments)
    {
        try
        {
            var result = method is ConstructorInfo constructor ? constructor.Invoke(arguments) : method.Invoke(target, arguments);
            (result as IDisposable)?.Dispose();
            return null;
        }
        catch (TargetInvocationException failure)
        {
            failure.InnerException.Should().NotBeAssignableTo<ExternalException>($"a native exception says nothing of the argument: {failure.InnerException!.Message}");
            return failure.InnerException;
        }
    }

    /// <summary>Throws unless the call went well, or was refused in managed words that name it.</summary>
    /// <param name="failure">What the call threw.</param>
    /// <param name="callable">What was called.</param>
    /// <param name="parameter">The one that was wrong.</param>
    /// <param name="isElsewhere">Whether the words may be of something else that the argument is passed on to.</param>
    public void ShouldBeTakenOrRefused(Exception? failure, string callable, ParameterInfo parameter, bool isElsewhere)
    {
        var name = parameter.Name!;
        if (What == "null" || What == "an integer dtype" && name == "dtype" && parameter.Member is ConstructorInfo)
        {
            failure.Should().BeAssignableTo<ArgumentException>($"{callable} with {name}: {What}");
        }

        if (failure is null)
        {
            return;
        }

        (failure is ArgumentException or NotSupportedException or ObjectDisposedException or InvalidOperationException or KeyNotFoundException or IOException).Should()
            .BeTrue($"{callable} with {name}: {What} is refused in managed words, and not with {failure}");
        (failure is not ArgumentException || isElsewhere || What == "enormous" || Regex.IsMatch(failure.Message, $@"\b{name}\b"))
            .Should().BeTrue($"{callable} with {name}: {What} names it: {failure.Message}");
    }
}
