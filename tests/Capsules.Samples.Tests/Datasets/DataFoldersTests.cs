namespace Capsules.Samples.Tests;

public class DataFoldersTests
{
    [Fact]
    public void DataFolders_OfThisMachine_CacheIsTheUsersOwnFolder()
    {
        var folders = DataFolders.OfThisMachine("given");

        folders.Given.Should().Be("given");
        Assert.SkipUnless(folders.Cache is not null, "this user has no folder");
        Path.IsPathFullyQualified(folders.Cache).Should().BeTrue();
        Path.GetFileName(folders.Cache).Should().Be("Capsules");
    }

    [Fact]
    public void DataFolders_OfThisMachine_TakesTheVariableUnlessItIsEmpty()
    {
        var variable = Environment.GetEnvironmentVariable("CAPSULES_DATA");

        DataFolders.OfThisMachine(null).FromEnvironment.Should().Be(string.IsNullOrWhiteSpace(variable) ? null : variable);
    }
}
