using System.Reflection;

namespace Capsules.ApiReference;

/// <summary>The names that the compiler gives members in its XML file.</summary>
internal static class MemberId
{
    public static string Of(MemberInfo member) => member switch
    {
        Type type => $"T:{Of(type)}",
        ConstructorInfo constructor => $"M:{Of(constructor.DeclaringType!)}.#ctor{Parameters(constructor)}",
        MethodInfo method => $"M:{Of(method.DeclaringType!)}.{method.Name}{Parameters(method)}{(method.Name is "op_Implicit" or "op_Explicit" ? $"~{Of(method.ReturnType)}" : "")}",
        PropertyInfo property => $"P:{Of(property.DeclaringType!)}.{property.Name}",
        _ => $"F:{Of(member.DeclaringType!)}.{member.Name}",
    };

    private static string Parameters(MethodBase method) =>
        method.GetParameters() is { Length: > 0 } parameters ? $"({string.Join(",", parameters.Select(parameter => Of(parameter.ParameterType)))})" : "";

    private static string Of(Type type)
    {
        if (type.IsByRef)
        {
            return Of(type.GetElementType()!) + "@";
        }

        if (type.IsArray)
        {
            return Of(type.GetElementType()!) + "[]";
        }

        if (!type.IsConstructedGenericType)
        {
            return type.FullName?.Replace('+', '.') ?? type.Name;
        }

        var definition = type.GetGenericTypeDefinition().FullName!.Replace('+', '.');
        return $"{definition[..definition.IndexOf('`', StringComparison.Ordinal)]}{{{string.Join(",", type.GetGenericArguments().Select(Of))}}}";
    }
}
