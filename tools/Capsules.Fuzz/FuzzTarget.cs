namespace Capsules.Fuzz;

/// <summary>A reader and how its files are damaged.</summary>
/// <param name="Name">Its name on the command line.</param>
/// <param name="Seeds">Whole files by the names that they are read under.</param>
/// <param name="Damage">From a whole file, by its name, to a damaged one.</param>
/// <param name="Read">Reads a file; the others of its folder are whole.</param>
/// <param name="IsAllowed">The exceptions that its documentation names.</param>
internal sealed record FuzzTarget(
    string Name,
    IReadOnlyList<(string File, byte[] Content)> Seeds,
    Func<string, byte[], Random, byte[]> Damage,
    Action<string> Read,
    Func<Exception, bool> IsAllowed);
