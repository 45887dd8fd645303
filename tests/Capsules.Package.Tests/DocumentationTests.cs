using System.Text.RegularExpressions;

namespace Capsules.Package.Tests;

/// <summary>Pages that lead nowhere are worse than none.</summary>
public sealed partial class DocumentationTests
{
    public static TheoryData<string> Pages =>
    [
        "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "src/Capsules.Onnx/README.md", "src/Capsules.Templates/README.md",
        .. Directory.GetFiles(Repository.File("docs"), "*.md", SearchOption.AllDirectories).Order()
            .Select(path => Path.GetRelativePath(Repository.Root, path).Replace('\\', '/')),
    ];

    [Fact]
    public void Pages_OfTheFolderDocs_AreReachedFromTheReadme()
    {
        var (reached, open) = (new HashSet<string>(), new Queue<string>(["README.md"]));
        while (open.TryDequeue(out var page))
        {
            var folder = Path.GetDirectoryName(page)!;
            foreach (var target in Targets(page).Select(link => Path.GetRelativePath(Repository.Root, Path.GetFullPath(Repository.File(folder, link.File)))))
            {
                if (target.EndsWith(".md", StringComparison.Ordinal) && reached.Add(target.Replace('\\', '/')))
                {
                    open.Enqueue(target);
                }
            }
        }

        Pages.Select(row => row.Data).Where(page => page.StartsWith("docs/", StringComparison.Ordinal)).Except(reached).Should().BeEmpty();
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Page_LinksToHeadings_LeadToHeadings(string page)
    {
        var folder = Path.GetDirectoryName(page)!;
        foreach (var (file, anchor) in Targets(page).Where(link => link.Anchor.Length > 0))
        {
            Anchors(file.Length == 0 ? page : Path.Combine(folder, file)).Should().Contain(anchor, "{0} links to {1}#{2}", page, file, anchor);
        }
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Page_RelativeLinks_LeadToFilesOfTheRepository(string page)
    {
        var folder = Path.GetDirectoryName(Repository.File(page))!;
        var text = File.ReadAllText(Repository.File(page));
        var links = Link().Matches(text).Select(match => match.Groups["target"].Value)
            .Concat(Mention().Matches(text).Select(match => Path.GetRelativePath(folder, Repository.File(match.Value))));
        links.Where(target => !target.Contains("://", StringComparison.Ordinal) && !target.StartsWith('#'))      // headings have a test of their own
            .Where(target => !File.Exists(Path.Combine(folder, target.Split('#')[0])))
            .Should().BeEmpty();
    }

    private static IEnumerable<(string File, string Anchor)> Targets(string page) => Link().Matches(File.ReadAllText(Repository.File(page)))
        .Select(match => match.Groups["target"].Value).Where(target => !target.Contains("://", StringComparison.Ordinal))
        .Select(target => target.Split('#', 2) is [var file, var anchor] ? (file, anchor) : (target, ""));

    // As GitHub makes them: lower case, spaces to hyphens, anything else but letters, digits, hyphens and underscores left out.
    private static IEnumerable<string> Anchors(string page) => Heading().Matches(File.ReadAllText(Repository.File(page)))
        .Select(match => Regex.Replace(match.Groups["text"].Value.Trim().ToLowerInvariant().Replace(' ', '-'), @"[^\w-]", ""));

    [GeneratedRegex(@"^#+ +(?<text>.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)")]
    private static partial Regex Link();

    // Pages are also named in running text, as docs/layers.md.
    [GeneratedRegex(@"\bdocs/[a-z-]+\.md\b")]
    private static partial Regex Mention();
}
