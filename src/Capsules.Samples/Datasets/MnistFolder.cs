namespace Capsules.Samples;

/// <summary>What a folder holds of MNIST.</summary>
internal sealed class MnistFolder
{
    private readonly Dictionary<string, string> _paths = [];

    private MnistFolder(string folder)
    {
        Folder = folder;
        foreach (var file in MnistFile.All)
        {
            var path = file.Spellings.Select(spelling => Path.Combine(folder, spelling)).FirstOrDefault(File.Exists);
            if (path is not null)
            {
                _paths[file.Name] = path;
            }
        }
    }

    public string Folder { get; }

    public bool IsComplete => _paths.Count == MnistFile.All.Count;

    /// <summary>The names of the files that are not there.</summary>
    public IEnumerable<string> Missing => MnistFile.All.Select(file => file.Name).Where(name => !_paths.ContainsKey(name));

    /// <summary>Looks into a folder and into the folder "mnist" within it; the one that holds more files counts.</summary>
    public static MnistFolder Search(string folder)
    {
        var itself = new MnistFolder(folder);
        var within = new MnistFolder(Path.Combine(folder, "mnist"));
        return within._paths.Count > itself._paths.Count ? within : itself;
    }

    /// <summary>The path of a file that is there.</summary>
    public string PathOf(MnistFile file) => _paths[file.Name];
}
