using System.Reflection;

namespace Capsules.Tests.Extending;

/// <summary>docs/extending.md shows files that are compiled and tested here.</summary>
public class ExtendingTests
{
    // Not from the source's path, which a deterministic build leaves out.
    private static readonly string Root =
        typeof(ExtendingTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "RepositoryRoot").Value!;

    private static readonly string Folder = Path.Combine(Root, "tests/Capsules.Tests/Extending");

    [Theory]
    [InlineData("SharpenedRouting.cs")]
    [InlineData("SharpenedRoutingTests.cs")]
    public void ExtendingPage_Example_IsTheFileThatIsTested(string file)
    {
        var page = File.ReadAllText(Path.Combine(Root, "docs/extending.md")).ReplaceLineEndings("\n");
        var example = File.ReadAllText(Path.Combine(Folder, file)).ReplaceLineEndings("\n");
        page.Should().Contain($"```csharp\n{example}```\n");
    }

    [Fact]
    public void ExtendingPage_Algorithm_IsAboutThirtyLines() =>
        File.ReadLines(Path.Combine(Folder, "SharpenedRouting.cs")).Count().Should().BeLessThanOrEqualTo(30);
}
