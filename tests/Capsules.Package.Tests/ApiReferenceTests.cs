namespace Capsules.Package.Tests;

/// <summary>docs/api is made of the sources' comments and kept in the repository, where readers find it.</summary>
public sealed class ApiReferenceTests
{
    [Fact]
    public void ApiReference_InTheRepository_IsThatOfTheSources()
    {
        var folder = Repository.File("docs", "api");
        var written = Directory.GetFiles(folder).ToDictionary(path => Path.GetFileName(path), path => File.ReadAllText(path).ReplaceLineEndings("\n"));

        var made = ApiReference.Pages.Write(Repository.Root);

        const string Because = "'dotnet run --project tools/Capsules.ApiReference -c Release' writes it anew";
        written.Keys.Should().BeEquivalentTo(made.Keys, Because);
        made.Where(page => written[page.Key] != page.Value).Select(page => page.Key).Should().BeEmpty(Because);
    }

    // A page can be up to date and say nothing.
    [Fact]
    public void ApiReference_EveryMember_IsDescribed()
    {
        var pages = ApiReference.Pages.Write(Repository.Root);

        pages["Functional.md"].Should().Contain("**`static Tensor squash(Tensor s, long dim = -1, double eps = 0)`**\n\nSquashes vectors to a length in [0, 1)")
            .And.Contain("- `eps`: Added to |s|^2 under the square root");
        pages["Serialization.md"].Should().Contain("## Weights\n\n    static class Weights\n").And.Contain("- Throws `InvalidDataException`: ");
        var undescribed = pages.Where(page => page.Key != "README.md")
            .SelectMany(page => System.Text.RegularExpressions.Regex.Matches(page.Value, @"\*\*`(?<member>[^`]+)`\*\*\n(?=\n\*\*|\n##|\z)").Select(match => $"{page.Key}: {match.Groups["member"].Value}"));
        undescribed.Should().BeEmpty();
    }

    [Fact]
    public void Reliability_Threads_SaysOfEveryPublicTypeWhatHolds()
    {
        var page = File.ReadAllText(Repository.File("docs", "reliability.md")).ReplaceLineEndings("\n");
        var threads = page.Split("\n## ").Single(section => section.StartsWith("Threads\n", StringComparison.Ordinal));
        var types = System.Text.RegularExpressions.Regex.Matches(ApiReference.Pages.Write(Repository.Root)["README.md"], @"^\| \[`(?<type>\w+)`\]", System.Text.RegularExpressions.RegexOptions.Multiline)
            .Select(match => match.Groups["type"].Value).ToList();

        types.Should().Contain(["CapsuleLayer", "OnnxGraph"]);
        types.Where(type => !threads.Contains($"`{type}`", StringComparison.Ordinal)).Should().BeEmpty("docs/reliability.md says of each type which threads may use it");
    }
}
