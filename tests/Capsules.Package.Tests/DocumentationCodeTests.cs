using System.Text;
using System.Text.RegularExpressions;

namespace Capsules.Package.Tests;

/// <summary>Every C# example of every page compiles against the package.</summary>
/// <remarks>
/// An example is a whole file where it declares a namespace, else the body of a method. What it takes as given stands before it in the
/// page, unseen by readers, as the method's parameters: <c>&lt;!-- given: Tensor images --&gt;</c>. One that needs more than the package is
/// compiled by another test, which the page names: <c>&lt;!-- compiled elsewhere: ExtendingTests --&gt;</c>.
/// </remarks>
public sealed partial class DocumentationCodeTests(PackedLibrary library)
{
    private const string Usings = """
        using Capsules;
        using TorchSharp;
        using TorchSharp.Modules;
        using static TorchSharp.torch;
        using F = Capsules.Functional;
        """;

    private sealed record Example(string Page, int Line, string Given, string Elsewhere, string Code);

    public static TheoryData<string> Pages => DocumentationTests.Pages;

    [Fact]
    public async Task Examples_OfAllPages_Compile()
    {
        var pages = DocumentationTests.Pages.Select(row => row.Data).ToDictionary(page => page, page => Examples(page).ToList());
        pages.Values.Sum(examples => examples.Count).Should().BeGreaterThan(20);
        var consumer = await Consumer.Create(library, "documentation");
        consumer.SetProgram("System.Console.WriteLine();");
        foreach (var example in pages.Values.SelectMany(examples => examples).Where(example => example.Elsewhere.Length == 0))
        {
            var name = $"{Regex.Replace(example.Page, @"\W", "_")}_{example.Line}";
            var namespaces = pages[example.Page].SelectMany(other => Namespace().Matches(other.Code)).Select(match => match.Groups["name"].Value).Distinct();
            File.WriteAllText(Path.Combine(consumer.Folder, $"{name}.cs"), Namespace().IsMatch(example.Code) ? example.Code : InMethod(example, name, namespaces));
        }

        await consumer.Build();
    }

    [Fact]
    public void Examples_CompiledElsewhere_NameATestThatExists()
    {
        var elsewhere = DocumentationTests.Pages.SelectMany(row => Examples(row.Data)).Where(example => example.Elsewhere.Length > 0).ToList();
        var tests = Directory.GetFiles(Repository.File("tests"), "*.cs", SearchOption.AllDirectories).Select(Path.GetFileNameWithoutExtension).ToHashSet();
        elsewhere.Should().NotBeEmpty();
        elsewhere.Select(example => example.Elsewhere).Should().BeSubsetOf(tests!);
    }

    // What is no fenced block would not be compiled.
    [Theory]
    [MemberData(nameof(Pages))]
    public void Page_CSharp_StandsInFencedBlocks(string page)
    {
        var prose = Fence().Replace(Text(page), "");
        Regex.Matches(prose, @"^ {4}.*;\s*(//.*)?$", RegexOptions.Multiline).Select(match => match.Value).Should().BeEmpty();
        Fence().Matches(Text(page)).Select(match => match.Groups["language"].Value).Except(["csharp", "python", "text", "xml"]).Should().BeEmpty();
    }

    private static IEnumerable<Example> Examples(string page)
    {
        var text = Text(page);
        foreach (Match match in Fence().Matches(text))
        {
            if (match.Groups["language"].Value == "csharp")
            {
                yield return new Example(page, text[..match.Index].Count(character => character == '\n') + 1, match.Groups["given"].Value, match.Groups["elsewhere"].Value, match.Groups["code"].Value);
            }
        }
    }

    private static string InMethod(Example example, string name, IEnumerable<string> namespaces)
    {
        var usings = new StringBuilder(Usings).AppendLine();
        foreach (var own in UsingDirective().Matches(example.Code).Select(match => match.Value).Where(own => !Usings.Contains(own.Trim())))
        {
            usings.AppendLine(own);
        }

        foreach (var other in namespaces)
        {
            usings.AppendLine($"using {other};");
        }

        return $$"""
            {{usings}}
            internal static class {{name}}
            {
                private static void Run({{example.Given}})
                {
            {{UsingDirective().Replace(example.Code, "")}}
                }
            }
            """;
    }

    private static string Text(string page) => File.ReadAllText(Repository.File(page)).ReplaceLineEndings("\n");

    [GeneratedRegex(@"(^<!-- (given: (?<given>.*?)|compiled elsewhere: (?<elsewhere>\w+)) -->\n)?^```(?<language>\w*)\n(?<code>.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"^using (static )?[\w.]+( = [\w.]+)?;$\n?", RegexOptions.Multiline)]
    private static partial Regex UsingDirective();

    [GeneratedRegex(@"^namespace (?<name>[\w.]+);$", RegexOptions.Multiline)]
    private static partial Regex Namespace();
}
