using System.Text.Json;

namespace Capsules.Samples;

/// <summary>What <c>train --seeds</c> is to do: seeds.json in the folder that holds its runs.</summary>
/// <param name="Options">The options of every run but for the seed, of which this is the first.</param>
/// <param name="Seeds">How many runs: with the first seed, the one after it, and so on.</param>
internal sealed record SeedPlan(TrainingOptions Options, int Seeds)
{
    private const string Name = "seeds.json";

    /// <summary>Whether a folder holds the runs of several seeds.</summary>
    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, Name));

    /// <summary>Reads the plan of a folder.</summary>
    /// <exception cref="UserException">It is damaged.</exception>
    public static SeedPlan Read(string folder)
    {
        var path = Path.Combine(folder, Name);
        if (RunFolder.Read<SeedPlan>(path) is not { Options: not null, Seeds: >= 1 } plan)
        {
            throw new UserException($"{path} does not say how its runs go. Start new ones.");
        }

        try
        {
            plan.Options.CheckValues();
        }
        catch (InvalidDataException failure)
        {
            throw new UserException($"{path} is damaged: {failure.Message}. Start new runs.", failure);
        }

        plan.CheckSeeds();
        return plan;
    }

    /// <summary>Throws unless every run has a seed.</summary>
    /// <exception cref="UserException">The last ones would be larger than the largest.</exception>
    public void CheckSeeds()
    {
        if ((long)Options.Seed + Seeds - 1 > int.MaxValue)
        {
            throw new UserException($"There are no {Seeds} seeds from {Options.Seed} on: the largest is {int.MaxValue}. Give a smaller --seed or --seeds.");
        }
    }

    /// <summary>Writes it.</summary>
    public void Write(string folder) => AtomicFile.WriteText(Path.Combine(folder, Name), JsonSerializer.Serialize(this, RunJson.Options) + "\n");

    /// <summary>The seeds and where their runs are, or will be.</summary>
    public IEnumerable<(int Seed, string Folder)> Runs(string folder) =>
        Enumerable.Range(Options.Seed, Seeds).Select(seed => (seed, Path.Combine(folder, $"seed-{seed}")));
}
