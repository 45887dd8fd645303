namespace Capsules;

/// <summary>Sizes that the tiles of a vote need.</summary>
internal readonly record struct VoteSizes(int J, int D, int E);

/// <summary>Vectors (q, J, E) in lanes whose dot products with the votes are wanted, and where (q, J) of those go.</summary>
internal unsafe struct Probes
{
    public float* Vectors;
    public nint VectorStride;
    public float* Dots;
    public nint DotStride;
    public int Count;
}
