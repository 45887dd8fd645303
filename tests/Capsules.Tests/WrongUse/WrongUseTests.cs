using System.Reflection;
using static TorchSharp.torch;

namespace Capsules.Tests.WrongUse;

/// <summary>
/// Public constructors and functions, all but two, called rightly but for one argument: null, of another shape, dtype or device, disposed, negative or
/// enormous. It is taken, or refused in an exception that names the argument; never a native exception. Methods: <see cref="WrongMethodsTests"/>.
/// </summary>
public class WrongUseTests
{
    // What a parameter is given where it has no default value, by its name; and by "type.name" where that differs or no default value will do.
    private static readonly Dictionary<string, Func<object>> Right = new()
    {
        ["inCapsules"] = () => 6L, ["inDim"] = () => 4L, ["outCapsules"] = () => 3L, ["outDim"] = () => 4L, ["inTypes"] = () => 2L, ["outTypes"] = () => 3L,
        ["inChannels"] = () => 2L, ["capsuleTypes"] = () => 3L, ["capsuleDim"] = () => 4L, ["channels"] = () => 8L, ["capsules"] = () => 3L,
        ["kernelSize"] = () => (1L, 1L), ["stride"] = () => (1L, 1L), ["padding"] = () => (0L, 0L), ["dilation"] = () => (1L, 1L),
        ["routing"] = () => new UniformRouting(), ["ClassCapsuleLayer.positions"] = () => 25L, ["outputShape"] = () => new long[] { 1, 4, 4 }, ["parameters"] = () => new[] { new TorchSharp.Modules.Parameter(ones(2)) },
        ["LinearVotes.input"] = () => randn(2, 6, 4), ["LinearVotes.weight"] = () => randn(6, 3, 4, 4), ["MatrixVotes.input"] = () => randn(2, 6, 4),
        ["MatrixVotes.weight"] = () => randn(6, 3, 2, 2), ["GivenVotes.votes"] = () => randn(2, 6, 3, 4),
        ["squash.s"] = () => randn(2, 3, 4), ["exponential_squash.s"] = () => randn(2, 3, 4), ["length.capsules"] = () => randn(2, 3, 4),
        ["longest.capsules"] = () => randn(2, 3, 4), ["k"] = () => 2, ["mask.capsules"] = () => randn(2, 3, 4), ["vector_to_pose.capsules"] = () => rand(2, 3, 4),
        ["pose_to_vector.poses"] = () => randn(2, 3, 4), ["pose_to_vector.activations"] = () => rand(2, 3), ["lengths"] = () => rand(2, 3),
        ["activations"] = () => rand(2, 3), ["target"] = () => tensor([0L, 2]), ["reconstruction"] = () => rand(2, 1, 4, 4), ["image"] = () => rand(2, 1, 4, 4),
        ["margin_loss.weight"] = () => rand(3), ["spread_loss.weight"] = () => rand(3), ["capsule_cross_entropy.weight"] = () => rand(3),
        ["counts"] = () => tensor([1L, 2]), ["sequence_mask.capsules"] = () => 3L, ["conv2d.input"] = () => randn(2, 1, 6, 6), ["conv2d.weight"] = () => randn(2, 1, 3, 3),
        ["FusedAdam.groups"] = () => new[] { new TorchSharp.Modules.Adam.ParamGroup([new TorchSharp.Modules.Parameter(ones(2))]) },
        ["FusedAdamW.groups"] = () => new[] { new TorchSharp.Modules.AdamW.ParamGroup([new TorchSharp.Modules.Parameter(ones(2))]) },
        ["RoutingResult.capsules"] = () => randn(2, 3, 4), ["route_concurrently.input"] = () => randn(2, 3, 4), ["route_concurrently.iterations"] = () => 2,
        ["route_concurrently.updates"] = () => new Func<Tensor, Tensor?, Tensor>[] { (x, _) => x * 2 },
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

    // Two records that the library makes and users read: what is put in is what comes out.
    [Fact]
    public void Callables_AreThePublicOnesButForTwoRecords() => Public.Except(All.Values).Select(NameOf).Should().BeEquivalentTo("SafetensorsEntry", "WeightsReport");

    [Theory]
    [MemberData(nameof(Callables))]
    public void Call_WithOneWrongArgument_IsTakenOrRefusedByName(string callable)
    {
        var method = All[callable];
        var parameters = method.GetParameters();
        using var scope = NewDisposeScope();
        WrongArgument.Call(method, null, Arguments(method)).Should().BeNull($"{callable} is called rightly");
        for (var i = 0; i < parameters.Length; i++)
        {
            foreach (var wrong in WrongArgument.Of(parameters[i], Arguments(method)[i]))
            {
                using var inner = NewDisposeScope();
                var arguments = Arguments(method);
                arguments[i] = wrong.Value;

                // TorchSharp words the optimizers' numbers; the layer's routingIterations are a routing's iterations.
                var isElsewhere = NameOf(method).StartsWith("FusedAdam", StringComparison.Ordinal) || parameters[i].Name == "routingIterations";
                wrong.ShouldBeTakenOrRefused(WrongArgument.Call(method, null, arguments), callable, parameters[i], isElsewhere);
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
        [.. method.GetParameters().Select(parameter => Right.GetValueOrDefault($"{NameOf(method)}.{parameter.Name}")?.Invoke()
            ?? (parameter.HasDefaultValue ? WrongArgument.Default(parameter) : RightOf(method, parameter)!()))];
}
