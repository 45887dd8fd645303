using System.Reflection;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Capsules.Tests.WrongUse;

/// <summary>
/// Public constructors and functions, all but a few, called rightly but for one argument: null, of another shape or dtype, disposed, negative or
/// enormous. It is taken, or refused in an exception that names the argument; never a native exception.
/// </summary>
public class WrongUseTests
{
    private const long Enormous = 1L << 50;

    // What a parameter is given where it has no default value, by its name; and by "type.name" where that differs.
    private static readonly Dictionary<string, Func<object>> Right = new()
    {
        ["inCapsules"] = () => 6L, ["inDim"] = () => 4L, ["outCapsules"] = () => 3L, ["outDim"] = () => 4L, ["inTypes"] = () => 2L, ["outTypes"] = () => 3L,
        ["inChannels"] = () => 2L, ["capsuleTypes"] = () => 3L, ["capsuleDim"] = () => 4L, ["channels"] = () => 8L, ["capsules"] = () => 3L,
        ["kernelSize"] = () => (1L, 1L), ["stride"] = () => (1L, 1L), ["padding"] = () => (0L, 0L), ["dilation"] = () => (1L, 1L),
        ["routing"] = () => new UniformRouting(), ["outputShape"] = () => new long[] { 1, 4, 4 }, ["parameters"] = () => new[] { new TorchSharp.Modules.Parameter(ones(2)) },
        ["LinearVotes.input"] = () => randn(2, 6, 4), ["LinearVotes.weight"] = () => randn(6, 3, 4, 4), ["MatrixVotes.input"] = () => randn(2, 6, 4),
        ["MatrixVotes.weight"] = () => randn(6, 3, 2, 2), ["GivenVotes.votes"] = () => randn(2, 6, 3, 4),
        ["squash.s"] = () => randn(2, 3, 4), ["exponential_squash.s"] = () => randn(2, 3, 4), ["length.capsules"] = () => randn(2, 3, 4),
        ["longest.capsules"] = () => randn(2, 3, 4), ["k"] = () => 2, ["mask.capsules"] = () => randn(2, 3, 4), ["vector_to_pose.capsules"] = () => rand(2, 3, 4),
        ["pose_to_vector.poses"] = () => randn(2, 3, 4), ["pose_to_vector.activations"] = () => rand(2, 3), ["lengths"] = () => rand(2, 3),
        ["activations"] = () => rand(2, 3), ["target"] = () => tensor([0L, 2]), ["reconstruction"] = () => rand(2, 1, 4, 4), ["image"] = () => rand(2, 1, 4, 4),
        ["counts"] = () => tensor([1L, 2]), ["sequence_mask.capsules"] = () => 3L, ["conv2d.input"] = () => randn(2, 1, 6, 6), ["conv2d.weight"] = () => randn(2, 1, 3, 3),
    };

    public static TheoryData<string> Callables => [.. All.Keys.Order()];

    private static List<MethodBase> Public { get; } = [.. typeof(CapsuleLayer).Assembly.GetExportedTypes()
        .Where(type => type is { IsAbstract: false, IsEnum: false } && type.IsClass && !typeof(Delegate).IsAssignableFrom(type))
        .SelectMany(type => type.GetConstructors().Cast<MethodBase>())
        .Concat(typeof(Capsules.Functional).GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.DeclaredOnly))
        .Where(method => method.GetParameters().Length > 0)];

    private static Dictionary<string, MethodBase> All { get; } = Public
        .Where(method => method.GetParameters().All(parameter => parameter.HasDefaultValue || RightOf(method, parameter) is not null))
        .ToDictionary(method => $"{NameOf(method)}({string.Join(", ", method.GetParameters().Select(parameter => $"{parameter.ParameterType.Name} {parameter.Name}"))})");

    // Left out are records of results, optimizers by groups of parameters (by parameters they are called), and what takes functions.
    [Fact]
    public void Callables_AreThePublicOnesButForAFew() => Public.Except(All.Values).Select(NameOf).Should().BeEquivalentTo(
        "FusedAdam", "FusedAdamW", "RoutingResult", "SafetensorsEntry", "WeightsReport", nameof(Capsules.Functional.route_concurrently));

    [Theory]
    [MemberData(nameof(Callables))]
    public void Call_WithOneWrongArgument_IsTakenOrRefusedByName(string callable)
    {
        var method = All[callable];
        var parameters = method.GetParameters();
        using var scope = NewDisposeScope();
        Call(method, Arguments(method)).Should().BeNull($"{callable} is called rightly");
        for (var i = 0; i < parameters.Length; i++)
        {
            foreach (var (what, value) in Wrong(parameters[i], Arguments(method)[i]))
            {
                using var inner = NewDisposeScope();
                var arguments = Arguments(method);
                arguments[i] = value;
                var failure = Call(method, arguments);
                var name = parameters[i].Name!;
                if (what == "null" || what == "an integer dtype" && name == "dtype")
                {
                    failure.Should().BeAssignableTo<ArgumentException>($"{callable} with {name}: {what}");
                }

                if (failure is not null)
                {
                    (failure is ArgumentException or NotSupportedException or ObjectDisposedException or InvalidOperationException).Should()
                        .BeTrue($"{callable} with {name}: {what} is refused in managed words, and not with {failure}");
                    // TorchSharp words the optimizers' numbers; the layer's routingIterations are a routing's iterations.
                    var isElsewhere = NameOf(method).StartsWith("FusedAdam", StringComparison.Ordinal) || name == "routingIterations" || what == "enormous";
                    (failure is not ArgumentException || isElsewhere || parameters.Any(each => failure.Message.Contains(each.Name!, StringComparison.Ordinal)))
                        .Should().BeTrue($"{callable} with {name}: {what} names an argument: {failure.Message}");
                }
            }
        }
    }

    private static string NameOf(MethodBase method) => method is ConstructorInfo ? method.DeclaringType!.Name : method.Name;

    private static Func<object>? RightOf(MethodBase method, ParameterInfo parameter)
    {
        if (Right.GetValueOrDefault($"{NameOf(method)}.{parameter.Name}") is { } own)
        {
            return own;
        }

        return Right.GetValueOrDefault(parameter.Name!) is { } right && (parameter.ParameterType.IsInstanceOfType(right())) ? right : null;
    }

    private static object?[] Arguments(MethodBase method) =>
        [.. method.GetParameters().Select(parameter => parameter.HasDefaultValue ? Default(parameter) : RightOf(method, parameter)!())];

    // Reflection gives default(T) of a struct and of an enum as null and as its number.
    private static object? Default(ParameterInfo parameter)
    {
        var type = Nullable.GetUnderlyingType(parameter.ParameterType) ?? parameter.ParameterType;
        return parameter.DefaultValue is { } value && type.IsEnum ? Enum.ToObject(type, value) : parameter.DefaultValue;
    }

    private static IEnumerable<(string What, object? Value)> Wrong(ParameterInfo parameter, object? right)
    {
        var type = Nullable.GetUnderlyingType(parameter.ParameterType) ?? parameter.ParameterType;
        if (!type.IsValueType && new NullabilityInfoContext().Create(parameter).WriteState == NullabilityState.NotNull)
        {
            yield return ("null", null);
        }

        switch (right)
        {
            case long:
                foreach (var number in (long[])[-1, 0, long.MinValue])
                {
                    yield return ($"{number}", number);
                }

                yield return ("enormous", Enormous);
                break;
            case int:
                foreach (var number in (int[])[-1, 0, int.MinValue])
                {
                    yield return ($"{number}", number);
                }

                break;
            case double:
                foreach (var number in (double[])[-1, double.NaN, double.PositiveInfinity])
                {
                    yield return ($"{number}", number);
                }

                break;
            case (long, long):
                yield return ("negative", (-1L, 1L));
                yield return ("enormous", (Enormous, Enormous));
                break;
            case long[]:
                yield return ("empty", Array.Empty<long>());
                yield return ("negative", new long[] { 1, -4, 4 });
                yield return ("enormous", new long[] { 1, Enormous, Enormous });
                break;
            case Tensor tensor:
                var disposed = tensor.clone();
                disposed.Dispose();
                yield return ("disposed", disposed);
                yield return ("of another rank", tensor.unsqueeze(0).unsqueeze(0));
                yield return ("a scalar", ones([]));
                yield return ("of complex numbers", tensor.to(ScalarType.ComplexFloat32));
                yield return ("of one more row", cat([tensor, tensor]).narrow(0, 0, tensor.size(0) + 1));
                break;
            default:
                if (type == typeof(ScalarType))
                {
                    yield return ("an integer dtype", ScalarType.Int64);
                }

                break;
        }
    }

    private static Exception? Call(MethodBase method, object?[] arguments)
    {
        try
        {
            var result = method is ConstructorInfo constructor ? constructor.Invoke(arguments) : method.Invoke(null, arguments);
            (result as IDisposable)?.Dispose();
            return null;
        }
        catch (TargetInvocationException failure)
        {
            failure.InnerException.Should().NotBeOfType<ExternalException>();
            return failure.InnerException;
        }
    }
}
