namespace Capsules;

/// <summary>A sparse matrix, row by row, in memory that kernels read by pointer.</summary>
internal unsafe struct SparseRows
{
    /// <summary>Its rows.</summary>
    public int Count;

    /// <summary>Where each row's entries start; one more than rows.</summary>
    public int* Starts;

    /// <summary>The entries' columns.</summary>
    public int* Indices;

    /// <summary>The entries' values.</summary>
    public float* Factors;
}
