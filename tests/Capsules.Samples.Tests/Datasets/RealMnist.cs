namespace Capsules.Samples.Tests;

/// <summary>The real MNIST, where this machine has it: in CAPSULES_DATA, or in the folder shared/data beside the repository.</summary>
internal static class RealMnist
{
    /// <summary>Its folder; the test is skipped where there is none.</summary>
    public static DatasetFolder FolderOrSkip()
    {
        var found = Candidates().Select(folder => DatasetFolder.Search(Mnist.Files, folder)).FirstOrDefault(folder => folder.IsComplete);
        Assert.SkipUnless(found is not null, "no MNIST here: set CAPSULES_DATA to its folder");
        return found;
    }

    private static IEnumerable<string> Candidates()
    {
        if (Environment.GetEnvironmentVariable(DataFolders.Variable) is { Length: > 0 } folder)
        {
            yield return folder;
        }

        for (var parent = new DirectoryInfo(AppContext.BaseDirectory); parent is not null; parent = parent.Parent)
        {
            if (File.Exists(Path.Combine(parent.FullName, "Capsules.sln")))
            {
                yield return Path.Combine(parent.FullName, "..", "shared", "data");
            }
        }
    }
}
