using System.Text.RegularExpressions;

namespace Capsules.Package.Tests;

/// <summary>Pages that lead nowhere are worse than none.</summary>
public sealed partial class DocumentationTests
{
    public static TheoryData<string> Pages =>
    [
        "README.md", "CHANGELOG.md", "CONTRIBUTING.md",
        .. Directory.GetFiles(Repository.File("docs"), "*.md").Select(path => "docs/" + Path.GetFileName(path)),
    ];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Page_RelativeLinks_LeadToFilesOfTheRepository(string page)
    {
        var folder = Path.GetDirectoryName(Repository.File(page))!;
        var text = File.ReadAllText(Repository.File(page));
        var links = Link().Matches(text).Select(match => match.Groups["target"].Value)
            .Concat(Mention().Matches(text).Select(match => Path.GetRelativePath(folder, Repository.File(match.Value))));
        links.Where(target => !target.Contains("://", StringComparison.Ordinal))
            .Where(target => !File.Exists(Path.Combine(folder, target.Split('#')[0])))
            .Should().BeEmpty();
    }

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)")]
    private static partial Regex Link();

    // Pages are also named in running text, as docs/layers.md.
    [GeneratedRegex(@"\bdocs/[a-z-]+\.md\b")]
    private static partial Regex Mention();
}
