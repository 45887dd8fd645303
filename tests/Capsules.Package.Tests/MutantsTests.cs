using System.Text.RegularExpressions;

namespace Capsules.Package.Tests;

public partial class MutantsTests
{
    // A mutant whose line has changed would be noticed only when somebody runs the mutants.
    [Fact]
    public void Mutants_All_NameOneLineOfTheSource()
    {
        var root = Repository.Root;
        var mutants = Mutant().Matches(File.ReadAllText(Path.Combine(root, "tests", "mutants", "mutants.txt")).ReplaceLineEndings("\n"));
        mutants.Should().HaveCountGreaterThan(40);
        mutants.Where(mutant => File.ReadLines(Path.Combine(root, mutant.Groups["file"].Value))
                .Count(line => line.Contains(mutant.Groups["from"].Value, StringComparison.Ordinal)) != 1)
            .Select(mutant => mutant.Groups["name"].Value).Should().BeEmpty();
    }

    [GeneratedRegex("^name +(?<name>.*)\nfile +(?<file>.*)\nfrom +(?<from>.*)\nto +(?<to>.*)\ntests +.*$", RegexOptions.Multiline)]
    private static partial Regex Mutant();
}
