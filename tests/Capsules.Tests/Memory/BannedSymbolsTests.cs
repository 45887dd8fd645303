using System.Reflection;
using Capsules.ApiReference;

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
        // A conversion's line without what it gives is about all that take the same.
        var functions = typeof(torch).Assembly.GetExportedTypes().SelectMany(type => type.GetMethods(Own)).Select(MemberId.Of)
            .SelectMany(name => (string[])[name, name.Split('~')[0]]).ToHashSet();
        var lines = File.ReadLines(Path.Combine(Root, "src", "BannedSymbols.txt")).Select(line => line.Split(';')[0]).ToList();
        lines.Should().HaveCountGreaterThan(100);
        lines.Should().Contain(line => line.Contains("op_Addition(TorchSharp.torch.Tensor,TorchSharp.torch.Tensor)")).And.BeSubsetOf(functions);
    }
}
