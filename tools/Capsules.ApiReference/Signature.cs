using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Capsules.ApiReference;

/// <summary>Declarations as they read in C#, with short names.</summary>
internal static class Signature
{
    private static readonly Dictionary<Type, string> Keywords = new()
    {
        [typeof(void)] = "void", [typeof(bool)] = "bool", [typeof(int)] = "int", [typeof(long)] = "long", [typeof(float)] = "float",
        [typeof(double)] = "double", [typeof(string)] = "string", [typeof(object)] = "object", [typeof(byte)] = "byte",
    };

    public static string Of(MemberInfo member) => member switch
    {
        Type type => Declaration(type),
        ConstructorInfo constructor => $"{Name(constructor.DeclaringType!)}({Parameters(constructor)})",
        MethodInfo method => $"{Modifiers(method)}{Result(method)} {method.Name}({Parameters(method)})",
        PropertyInfo property =>
            $"{Modifiers(property.GetMethod!)}{Name(property.PropertyType, new NullabilityInfoContext().Create(property))} {property.Name} {{ get;{Setter(property)} }}",
        FieldInfo { IsLiteral: true, DeclaringType.IsEnum: true } value => value.Name,
        FieldInfo { IsLiteral: true } constant => $"const {Name(constant.FieldType)} {constant.Name}",
        FieldInfo field => $"{Name(field.FieldType)} {field.Name}",
        _ => member.Name,
    };

    // What a class that derives from the type needs to know; every method of an interface is abstract.
    private static string Modifiers(MethodInfo method) =>
        (method.IsFamily || method.IsFamilyOrAssembly ? "protected " : "") +
        (method switch
        {
            { IsStatic: true } => "static ",
            { DeclaringType.IsInterface: true } => "",
            { IsAbstract: true } => "abstract ",
            { IsVirtual: true, IsFinal: false, DeclaringType.IsSealed: false } when method.GetBaseDefinition() == method => "virtual ",
            _ => "",
        });

    private static string Setter(PropertyInfo property) => property.SetMethod is { IsPublic: true } ? " set;" : "";

    private static string Declaration(Type type)
    {
        if (type.IsEnum)
        {
            return $"enum {type.Name}";
        }

        var kind = type switch
        {
            { IsInterface: true } => "interface",
            { IsValueType: true } => "struct",
            { IsAbstract: true, IsSealed: true } => "static class",
            { IsAbstract: true } => "abstract class",
            { IsSealed: true } => "sealed class",
            _ => "class",
        };
        var bases = (type.BaseType is { } parent && parent != typeof(object) && parent != typeof(ValueType) ? [Name(parent)] : Array.Empty<string>())
            .Concat(type.GetInterfaces().Contains(typeof(IDisposable)) && type.BaseType == typeof(object) ? ["IDisposable"] : []);
        return $"{kind} {type.Name}{(bases.Any() ? $" : {string.Join(", ", bases)}" : "")}";
    }

    private static string Result(MethodInfo method) => Name(
        method.ReturnType, new NullabilityInfoContext().Create(method.ReturnParameter), method.ReturnParameter.GetCustomAttribute<TupleElementNamesAttribute>());

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(parameter =>
    {
        var type = Name(parameter.ParameterType, new NullabilityInfoContext().Create(parameter), parameter.GetCustomAttribute<TupleElementNamesAttribute>());
        var (before, after) = (Before(parameter), parameter.HasDefaultValue ? $" = {Value(parameter)}" : "");
        return $"{before}{type} {parameter.Name}{after}";
    }));

    private static string Before(ParameterInfo parameter) =>
        parameter.IsDefined(typeof(ParamArrayAttribute)) ? "params "
        : parameter.Position == 0 && parameter.Member.IsDefined(typeof(ExtensionAttribute)) ? "this "
        : "";

    private static string Value(ParameterInfo parameter) => (parameter.DefaultValue, Nullable.GetUnderlyingType(parameter.ParameterType) ?? parameter.ParameterType) switch
    {
        (null, var type) => type.IsValueType && Nullable.GetUnderlyingType(parameter.ParameterType) is null ? "default" : "null",
        (bool value, _) => value ? "true" : "false",
        (string text, _) => $"\"{text}\"",
        (var value, { IsEnum: true } type) => $"{type.Name}.{Enum.GetName(type, value)}",
        (var value, _) => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static string Name(Type type, NullabilityInfo? nullability = null, TupleElementNamesAttribute? names = null)
    {
        if (type.IsByRef)
        {
            return "out " + Name(type.GetElementType()!);
        }

        if (Nullable.GetUnderlyingType(type) is { } value)
        {
            return Name(value, null, names) + "?";
        }

        var mark = !type.IsValueType && nullability is { ReadState: NullabilityState.Nullable } ? "?" : "";
        if (type.IsArray)
        {
            return Name(type.GetElementType()!) + "[]" + mark;
        }

        if (Keywords.TryGetValue(type, out var keyword))
        {
            return keyword + mark;
        }

        var arguments = type.GetGenericArguments();
        if (type.FullName?.StartsWith("System.ValueTuple`", StringComparison.Ordinal) == true)
        {
            var parts = arguments.Select((argument, i) => $"{Name(argument)} {names?.TransformNames.ElementAtOrDefault(i)}".TrimEnd());
            return $"({string.Join(", ", parts)})";
        }

        var simple = type.Name.Split('`')[0];
        var text = type.FullName?.StartsWith("TorchSharp.torch+nn+Module", StringComparison.Ordinal) == true ? "nn." + simple : simple;
        return (arguments.Length == 0 ? text : $"{text}<{string.Join(", ", arguments.Select(argument => Name(argument)))}>") + mark;
    }
}
