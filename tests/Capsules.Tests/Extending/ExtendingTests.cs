using System.Runtime.CompilerServices;

namespace Capsules.Tests.Extending;

/// <summary>docs/extending.md shows files that are compiled and tested here.</summary>
public class ExtendingTests
{
    [Theory]
    [InlineData("SharpenedRouting.cs")]
    [InlineData("SharpenedRoutingTests.cs")]
    public void ExtendingPage_Example_IsTheFileThatIsTested(string file)
    {
        var page = File.ReadAllText(Path.Combine(Folder(), "../../../docs/extending.md")).ReplaceLineEndings("\n");
        var example = File.ReadAllText(Path.Combine(Folder(), file)).ReplaceLineEndings("\n");
        page.Should().Contain($"```csharp\n{example}```\n");
    }

    [Fact]
    public void ExtendingPage_Algorithm_IsAboutThirtyLines() =>
        File.ReadLines(Path.Combine(Folder(), "SharpenedRouting.cs")).Count().Should().BeLessThanOrEqualTo(30);

    private static string Folder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
