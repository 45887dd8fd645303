namespace Capsules;

/// <summary>Sizes that the tiles of a vote need.</summary>
internal readonly record struct VoteSizes(int J, int D, int E);
