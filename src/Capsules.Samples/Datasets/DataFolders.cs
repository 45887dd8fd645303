namespace Capsules.Samples;

/// <summary>The places where datasets may lie, in the order in which they are asked.</summary>
/// <param name="Given">The folder of <c>--data</c>, or null. What it lacks is an error.</param>
/// <param name="FromEnvironment">The folder of the environment variable CAPSULES_DATA, or null.</param>
/// <param name="Cache">The user's own folder, to which downloads go, or null where the user has none.</param>
internal sealed record DataFolders(string? Given, string? FromEnvironment, string? Cache)
{
    public const string Variable = "CAPSULES_DATA";

    /// <summary>The places on this machine.</summary>
    public static DataFolders OfThisMachine(string? given)
    {
        var variable = Environment.GetEnvironmentVariable(Variable);

        // Empty or relative where neither HOME nor a user entry exists: then nothing may be written "somewhere".
        var user = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        return new DataFolders(
            given,
            string.IsNullOrWhiteSpace(variable) ? null : variable,
            Path.IsPathFullyQualified(user) ? Path.Combine(user, "Capsules") : null);
    }
}
