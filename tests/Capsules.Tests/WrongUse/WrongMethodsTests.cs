using System.Reflection;
using static TorchSharp.torch;

namespace Capsules.Tests.WrongUse;

/// <summary>
/// Public methods, of objects and of static classes, called rightly but for one argument, which is wrong in every way that <see cref="WrongArgument"/>
/// knows: it is taken, or refused in an exception that names the argument; never a native exception.
/// </summary>
public class WrongMethodsTests
{
    private const int B = 2, N = 6, D = 4, J = 3, E = 4;

    private static readonly string Folder = Directory.CreateTempSubdirectory("capsules-").FullName;

    private static readonly Dictionary<string, Func<object>> WithoutLogits = new()
    {
        ["input"] = () => randn(B, N, D), ["mask"] = () => ones([B, N], ScalarType.Bool), ["outputs"] = () => randn(B, J, E),
    };

    private static readonly Dictionary<string, Func<object>> VectorInput = new(WithoutLogits) { ["initialLogits"] = () => randn(N, J) };

    private static readonly Dictionary<string, Func<object>> OfVotes = new()
    {
        ["coupling"] = () => rand(B, N, J), ["outputs"] = () => randn(B, J, E), ["logits"] = () => randn(B, N, J), ["activations"] = () => rand(B, N), ["rows"] = () => randn(B, N, J),
    };

    private static readonly Dictionary<string, Func<object>> OfLoss = new() { ["input"] = () => rand(B, J), ["target"] = () => tensor([0L, 2]) };

    private static readonly Dictionary<string, Func<object>> OfDecoder = new()
    {
        ["input"] = () => randn(B, J, E), ["keep"] = () => tensor([0L, 2]), ["labels"] = () => tensor([0L, 1, 2, 0], [B, 2]),
    };

    private static readonly Dictionary<string, Func<object>> OfGrid = new() { ["input"] = () => randn([B, 2, 5, 5, D]), ["mask"] = () => ones([B, 2, 5, 5], ScalarType.Bool) };

    private static readonly Dictionary<string, Func<object>> OfMatrixGrid = new(OfGrid) { ["activations"] = () => rand(B, 2, 5, 5) };

    private static readonly Dictionary<string, Func<object>> OfLine = new() { ["input"] = () => randn(B, 2, 5, D), ["mask"] = () => ones([B, 2, 5], ScalarType.Bool) };

    private static readonly Dictionary<string, Func<object>> OfSize = new() { ["height"] = () => 9L, ["width"] = () => 9L, ["length"] = () => 9L };

    // Objects by name; what their methods take, by the parameter's name; and methods that the object refuses as it is meant to.
    private static readonly Dictionary<string, Subject> Subjects = new()
    {
        ["CapsuleLayer"] = new(() => new CapsuleLayer(N, D, J, E, bias: true, learnedLogits: true), VectorInput, "Update"),
        ["CapsuleLayer, EM"] = new(() => new CapsuleLayer(N, D, J, E, new EMRouting(J)), new(WithoutLogits) { ["activations"] = () => rand(B, N) }, "Update"),
        ["CapsuleLayer, inverted"] = new(() => new CapsuleLayer(N, D, J, E, new InvertedDotProductRouting(E)), WithoutLogits),
        ["ClassCapsuleLayer"] = new(() => new ClassCapsuleLayer(2, D, J, E, new EMRouting(J)), OfMatrixGrid, "Update"),
        ["ClassCapsuleLayer, inverted"] = new(() => new ClassCapsuleLayer(2, D, J, E, new InvertedDotProductRouting(E), positions: 25), new(OfGrid) { ["outputs"] = () => randn(B, J, E) }),
        ["ConvCapsuleLayer"] = new(() => new ConvCapsuleLayer(2, D, J, E, new EMRouting(J)), Join(OfMatrixGrid, OfSize), "Update"),
        ["ConvCapsuleLayer, inverted"] = new(() => new ConvCapsuleLayer(2, D, J, E, new InvertedDotProductRouting(E)), new(OfGrid) { ["outputs"] = () => randn([B, J, 3, 3, E]), ["height"] = () => 9L, ["width"] = () => 9L }),
        ["ConvCapsuleLayer1d"] = new(() => new ConvCapsuleLayer1d(2, D, J, E, new DynamicRouting(), bias: true), Join(OfLine, OfSize), "Update"),
        ["ConvTransposeCapsuleLayer"] = new(() => new ConvTransposeCapsuleLayer(2, D, J, E, new KMeansRouting()), Join(OfGrid, OfSize), "Update"),
        ["ConvTransposeCapsuleLayer1d"] = new(() => new ConvTransposeCapsuleLayer1d(2, D, J, E, new MaxMinRouting()), Join(OfLine, OfSize), "Update"),
        ["PrimaryCapsule"] = new(() => new PrimaryCapsule(2, 3, 4, kernelSize: 3), new(OfSize) { ["input"] = () => rand(B, 2, 9, 9) }),
        ["DepthwisePrimaryCapsule"] = new(() => new DepthwisePrimaryCapsule(8, 4, kernelSize: 3), new(OfSize) { ["input"] = () => rand(B, 8, 5, 5) }),
        ["MatrixPrimaryCapsule"] = new(() => new MatrixPrimaryCapsule(2, 3, 2, kernelSize: 3, batchNorm: true), new(OfSize) { ["input"] = () => rand(B, 2, 9, 9) }),
        ["MaskedDecoder"] = new(() => new MaskedDecoder(J, E, [1, 4, 4], [7]), OfDecoder),
        ["ClassIndependentDecoder"] = new(() => new ClassIndependentDecoder(J, E, [1, 4, 4], [7]), OfDecoder),
        ["ConvolutionalDecoder"] = new(() => new ConvolutionalDecoder(J, E, [1, 4, 4], [4]), OfDecoder),
        ["Squash"] = new(() => new Squash(), new() { ["input"] = () => randn(B, J, E) }),
        ["ExponentialSquash"] = new(() => new ExponentialSquash(), new() { ["input"] = () => randn(B, J, E) }),
        ["CapsuleLength"] = new(() => new CapsuleLength(), new() { ["input"] = () => randn(B, J, E) }),
        ["MarginLoss"] = new(() => new MarginLoss(), OfLoss),
        ["SpreadLoss"] = new(() => new SpreadLoss(), OfLoss),
        ["CapsuleCrossEntropyLoss"] = new(() => new CapsuleCrossEntropyLoss(), OfLoss),
        ["ReconstructionLoss"] = new(() => new ReconstructionLoss(), new() { ["input"] = () => rand(B, 1, 4, 4), ["target"] = () => rand(B, 1, 4, 4) }),
        ["LinearVotes"] = new(() => new LinearVotes(randn(B, N, D), randn(N, J, D, E)), OfVotes),
        ["LinearVotes, masked"] = new(() => new LinearVotes(randn(B, N, D), randn(2, J, D, E), rand(B, N).gt(0.5)), OfVotes),
        ["MatrixVotes"] = new(() => new MatrixVotes(randn(B, N, 4), randn(N, J, 2, 2)), OfVotes),
        ["GivenVotes"] = new(() => new GivenVotes(randn(B, N, J, E)), OfVotes),
        ["FusedAdam"] = new(() => new FusedAdam(new[] { new TorchSharp.Modules.Parameter(ones(2)) }), []),
        ["FusedAdamW"] = new(() => new FusedAdamW(new[] { new TorchSharp.Modules.Parameter(ones(2)) }), []),
        ["SafetensorsFile"] = new(() => SafetensorsFile.Open(WithWeights()), new() { ["name"] = () => "weight" }),
        ["WeightsMapping"] = new(() => new WeightsMapping(), new()
        {
            ["target"] = () => "a", ["source"] = () => "b", ["sources"] = () => new[] { "b" }, ["prefix"] = () => "module.",
        }),
        ["DynamicRouting"] = new(() => new DynamicRouting(), Routes(RoutingInputs.Bias | RoutingInputs.Logits), "Update"),
        ["EMRouting"] = new(() => new EMRouting(J), Routes(RoutingInputs.Activations), "Update"),
        ["InvertedDotProductRouting"] = new(() => new InvertedDotProductRouting(E), new(Routes(RoutingInputs.None)) { ["outputs"] = () => randn(B, J, E) }),
        ["KMeansRouting"] = new(() => new KMeansRouting(), Routes(RoutingInputs.None), "Update"),
        ["MaxMinRouting"] = new(() => new MaxMinRouting(), Routes(RoutingInputs.None), "Update"),
        ["SelfAttentionRouting"] = new(() => new SelfAttentionRouting(N, J), Routes(RoutingInputs.None), "Update"),
        ["SelfRouting"] = new(() => new SelfRouting(N, D, J), Routes(RoutingInputs.Activations), "Update"),
        ["UniformRouting"] = new(() => new UniformRouting(), Routes(RoutingInputs.None), "Update"),
        ["VariationalBayesRouting"] = new(() => new VariationalBayesRouting(J, batchNorm: false), Routes(RoutingInputs.Activations), "Update"),
    };

    // What static methods take, by the parameter's name, or by "class.parameter".
    private static readonly Dictionary<string, Func<object>> Right = new()
    {
        ["Safetensors.path"] = WithWeights, ["SafetensorsFile.path"] = WithWeights, ["Weights.path"] = WithWeights,
        ["module"] = () => nn.Linear(2, 2, hasBias: false), ["tensors"] = () => new Dictionary<string, Tensor> { ["weight"] = randn(2, 2) },
        ["tensor"] = () => randn(2, 2), ["std"] = () => 0.1, ["dtype"] = () => ScalarType.Float32, ["progress"] = () => 0.5, ["step"] = () => 5L,
        ["TorchFunctional.s"] = () => randn(B, J, E), ["TorchFunctional.lengths"] = () => rand(B, J), ["TorchFunctional.activations"] = () => rand(B, J),
        ["TorchFunctional.target"] = () => tensor([0L, 2]), ["reconstruction"] = () => rand(B, 1, 4, 4), ["image"] = () => rand(B, 1, 4, 4),
    };

    public static TheoryData<string, string> Methods
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var (name, subject) in Subjects)
            {
                foreach (var method in MethodsOf(TypeOf(name)).Where(method => !subject.Without.Contains(method.Name)))
                {
                    data.Add(name, Signature(method));
                }
            }

            return data;
        }
    }

    public static TheoryData<string> Statics => [.. StaticMethods().Where(method => !LeftOut.Contains(NameOf(method))).Select(method => $"{method.DeclaringType!.Name}.{Signature(method)}")];

    // The first loads another libtorch into the process; the second's files are made in PyTorchFileTests, where damage of every kind is read.
    private static readonly string[] LeftOut = ["LibtorchLoader.Load", "PyTorchFile.Load"];

    [Fact]
    public void Subjects_AreAllPublicTypesWithMethods() => typeof(CapsuleLayer).Assembly.GetExportedTypes()
        .Where(type => type is { IsAbstract: false, IsEnum: false } && MethodsOf(type).Any()).Select(type => type.Name)
        .Except(Subjects.Keys.Select(name => TypeOf(name).Name)).Should().BeEmpty("each is tried");

    [Theory]
    [MemberData(nameof(Methods))]
    public void Method_WithOneWrongArgument_IsTakenOrRefusedByName(string name, string signature)
    {
        var subject = Subjects[name];
        Try(MethodsOf(TypeOf(name)).Single(method => Signature(method) == signature), subject.Make, parameter => RightOf(subject.Right, parameter), $"{name}: {signature}");
    }

    [Theory]
    [MemberData(nameof(Statics))]
    public void StaticMethod_WithOneWrongArgument_IsTakenOrRefusedByName(string signature) => Try(
        StaticMethods().Single(method => $"{method.DeclaringType!.Name}.{Signature(method)}" == signature), null,
        parameter => RightOf(Right, parameter) ?? Right.GetValueOrDefault($"{parameter.Member.DeclaringType!.Name}.{parameter.Name}")?.Invoke(), signature);

    private static void Try(MethodInfo method, Func<object>? make, Func<ParameterInfo, object?> right, string callable)
    {
        using var scope = NewDisposeScope();
        var parameters = method.GetParameters();

        // Modules of a function speak of its arguments, and a grid's size is told as a whole.
        var isElsewhere = method.Name == "OutputShape" || method.DeclaringType!.Name.EndsWith("Loss", StringComparison.Ordinal)
            || method.DeclaringType.Name is "Squash" or "ExponentialSquash" or "CapsuleLength";
        var failure = Invoke(Arguments());
        failure.Should().BeNull($"{callable} is called rightly");
        for (var i = 0; i < parameters.Length; i++)
        {
            foreach (var wrong in WrongArgument.Of(parameters[i], Arguments()[i]))
            {
                using var inner = NewDisposeScope();
                var arguments = Arguments();
                arguments[i] = wrong.Value;
                wrong.ShouldBeTakenOrRefused(Invoke(arguments), callable, parameters[i], isElsewhere);
            }
        }

        // An object of its own for each call: some are spent by it.
        Exception? Invoke(object?[] arguments)
        {
            var target = make?.Invoke();
            try
            {
                return WrongArgument.Call(method, target, arguments);
            }
            finally
            {
                (target as IDisposable)?.Dispose();
            }
        }

        object?[] Arguments() => [.. parameters.Select(parameter => right(parameter) ?? WrongArgument.Default(parameter))];
    }

    private static object? RightOf(Dictionary<string, Func<object>> right, ParameterInfo parameter)
    {
        if (parameter.ParameterType == typeof(Func<Tensor, Tensor>))
        {
            return (Func<Tensor, Tensor>)(tensor => tensor);
        }

        if (parameter.ParameterType == typeof(Func<IReadOnlyList<Tensor>, Tensor>))
        {
            return (Func<IReadOnlyList<Tensor>, Tensor>)(tensors => tensors[0]);
        }

        // A name may stand for a tensor in one method and for a flag or a number in another.
        return right.GetValueOrDefault(parameter.Name!)?.Invoke() is { } value && parameter.ParameterType.IsInstanceOfType(value) ? value : null;
    }

    private static Dictionary<string, Func<object>> Routes(RoutingInputs uses)
    {
        var right = new Dictionary<string, Func<object>> { ["votes"] = () => new LinearVotes(randn(B, N, D), randn(N, J, D, E)), ["outCapsules"] = () => (long)J };
        if (uses.HasFlag(RoutingInputs.Bias))
        {
            right["bias"] = () => randn(J, E);
        }

        if (uses.HasFlag(RoutingInputs.Logits))
        {
            right["logits"] = () => randn(N, J);
        }

        if (uses.HasFlag(RoutingInputs.Activations))
        {
            right["activations"] = () => rand(B, N);
        }

        return right;
    }

    private static Dictionary<string, Func<object>> Join(Dictionary<string, Func<object>> one, Dictionary<string, Func<object>> other) => new(one.Concat(other));

    private static string WithWeights()
    {
        var path = Path.Combine(Folder, "weights.safetensors");
        if (!File.Exists(path))
        {
            using var weight = randn(2, 2);
            Safetensors.Save(path, new Dictionary<string, Tensor> { ["weight"] = weight });
        }

        return path;
    }

    private static Type TypeOf(string name) => typeof(CapsuleLayer).Assembly.GetType($"Capsules.{name.Split(',')[0]}", throwOnError: true)!;

    // The library's own, those of its base classes too; what every object and record has is left out.
    private static IEnumerable<MethodInfo> MethodsOf(Type type) => type.GetMethods(BindingFlags.Public | BindingFlags.Instance)
        .Where(method => method.DeclaringType!.Assembly == typeof(CapsuleLayer).Assembly && !method.IsSpecialName
            && method.Name is not (nameof(Equals) or "Deconstruct") && method.GetParameters().Length > 0);

    private static IEnumerable<MethodInfo> StaticMethods() => typeof(CapsuleLayer).Assembly.GetExportedTypes()
        .Where(type => type != typeof(Capsules.Functional) && !type.IsNested)      // those are in WrongUseTests; what is nested the compiler made for extensions
        .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.DeclaredOnly))
        .Where(method => !method.IsSpecialName && method.GetParameters().Length > 0);

    private static string NameOf(MethodInfo method) => $"{method.DeclaringType!.Name}.{method.Name}";

    private static string Signature(MethodInfo method) => $"{method.Name}({string.Join(", ", method.GetParameters().Select(parameter => $"{parameter.ParameterType.Name} {parameter.Name}"))})";

    private sealed record Subject(Func<object> Make, Dictionary<string, Func<object>> Right, params string[] Without);
}
