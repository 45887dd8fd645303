namespace Capsules.Samples.Tests;

/// <summary>Tests that seed torch's global generator or look at it: nothing else runs beside them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public class GlobalRandomNumbers
{
    public const string Name = "global random numbers";
}
