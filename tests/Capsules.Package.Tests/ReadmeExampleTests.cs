using System.Globalization;
using System.Text.RegularExpressions;

namespace Capsules.Package.Tests;

/// <summary>The README's first C# example is the program of a user who has nothing but the package and a back end.</summary>
public sealed partial class ReadmeExampleTests(PackedLibrary library)
{
    [Fact]
    public async Task ReadmeExample_InAProjectOutsideTheRepository_PrintsFiniteNumbers()
    {
        Assert.SkipUnless(Consumer.LibtorchExists(), "There is no libtorch package for this platform.");
        var consumer = await Consumer.Create(library, "readme");
        consumer.AddTorchSharpCpu();
        consumer.SetProperty("CapsulesTorchOnOldLinux", "true");
        consumer.SetProgram(Example());
        await consumer.Build();

        string output = await consumer.Run();

        output.Should().NotMatchRegex(@"(?i)\b(nan|inf|infinity)\b|∞");
        Number().Matches(output).Should().NotBeEmpty("the example prints what it computed:\n{0}", output);
        Number().Matches(output).Should().OnlyContain(m => double.IsFinite(double.Parse(m.Value, CultureInfo.InvariantCulture)));
    }

    private static string Example()
    {
        var block = FirstCSharpBlock().Match(File.ReadAllText(Repository.File("README.md")));
        block.Success.Should().BeTrue("README.md shows how to use the library in a ```csharp block");
        return block.Groups["code"].Value;
    }

    [GeneratedRegex(@"^```csharp[^\n]*\n(?<code>.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex FirstCSharpBlock();

    [GeneratedRegex(@"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")]
    private static partial Regex Number();
}
