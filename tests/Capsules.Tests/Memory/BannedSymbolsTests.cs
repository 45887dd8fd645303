using System.Reflection;

namespace Capsules.Tests.Memory;

/// <summary>The build passes over lines of src/BannedSymbols.txt that name nothing, as all would after a change of TorchSharp's signatures.</summary>
public class BannedSymbolsTests
{
    private static readonly string Root =
        typeof(BannedSymbolsTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "RepositoryRoot").Value!;

    private const BindingFlags Own = BindingFlags.Public | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    [Fact]
    public void Lines_EachNamesAFunctionOfTorchSharp()
    {
        var functions = typeof(torch).Assembly.GetExportedTypes().SelectMany(type => type.GetMethods(Own)).Select(Name).ToHashSet();
        var lines = File.ReadLines(Path.Combine(Root, "src", "BannedSymbols.txt")).Select(line => line.Split(';')[0]).ToList();
        lines.Should().HaveCountGreaterThan(100);
        lines.Should().Contain(line => line.Contains("op_Addition(TorchSharp.torch.Tensor,TorchSharp.torch.Tensor)")).And.BeSubsetOf(functions);
    }

    // As in documentation files: M:Namespace.Type.Method(Parameters), and of conversions what they give.
    private static string Name(MethodInfo method)
    {
        var parameters = string.Join(",", method.GetParameters().Select(parameter => Name(parameter.ParameterType)));
        var result = method.Name == "op_Implicit" ? $"~{Name(method.ReturnType)}" : "";
        return $"M:{Name(method.DeclaringType!)}.{method.Name}{(parameters.Length > 0 ? $"({parameters})" : "")}{result}";
    }

    private static string Name(Type type)
    {
        if (type.IsArray)
        {
            return $"{Name(type.GetElementType()!)}[]";
        }

        if (type.IsByRef)
        {
            return $"{Name(type.GetElementType()!)}@";
        }

        if (type.IsGenericType && !type.IsGenericTypeDefinition)
        {
            return $"{Name(type.GetGenericTypeDefinition()).Split('`')[0]}{{{string.Join(",", type.GetGenericArguments().Select(Name))}}}";
        }

        return (type.FullName ?? type.Name).Replace('+', '.');
    }
}
