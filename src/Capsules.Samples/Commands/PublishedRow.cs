namespace Capsules.Samples;

/// <summary>The small files of the runs of several seeds, for a repository: what decided each run and what came of it.</summary>
internal static class PublishedRow
{
    private static readonly string[] OfARun = ["metrics.csv", "result.json"];

    /// <summary>Makes the folder, where it is not there.</summary>
    /// <exception cref="UserException">It cannot be made.</exception>
    public static void MakeFolder(string folder) => Guarded(folder, () => Directory.CreateDirectory(folder));

    /// <summary>Writes them; of a run that is not at its end, what there is.</summary>
    /// <param name="runs">The folder of the runs.</param>
    /// <param name="folder">The folder to write to.</param>
    /// <exception cref="UserException">A file cannot be read or written.</exception>
    public static void Write(string runs, string folder) => Guarded(folder, () =>
    {
        Directory.CreateDirectory(folder);
        Copy(runs, folder, "summary.md");
        foreach (var (seed, run) in SeedPlan.Read(runs).Runs(runs).Where(run => Directory.Exists(run.Folder)))
        {
            var place = Directory.CreateDirectory(Path.Combine(folder, $"seed-{seed}")).FullName;

            // Where the images lay is that machine's business; the fingerprint says which they are.
            RunFolder.At(place).WriteConfig(RunFolder.At(run).ReadConfig() with { Source = "" });
            foreach (var name in OfARun)
            {
                Copy(run, place, name);
            }
        }
    });

    private static void Guarded(string folder, Action write)
    {
        try
        {
            write();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"The results cannot be written to {folder}: {failure.Message} Give another folder with --publish.", failure);
        }
    }

    private static void Copy(string from, string to, string name)
    {
        var source = Path.Combine(from, name);
        if (File.Exists(source))
        {
            AtomicFile.WriteText(Path.Combine(to, name), File.ReadAllText(source));
        }
    }
}
