namespace Capsules;

/// <summary>How a warp of the CUDA kernel divides output capsules among its lanes; routing.cu has one set of kernels for each.</summary>
/// <param name="Name">The last part of the kernels' names.</param>
/// <param name="Capsules">Output capsules J at most.</param>
/// <param name="Entries">Entries E of an output capsule at most, to which weights are filled up.</param>
/// <param name="RowGroups">Lanes that hold different rows of the batch.</param>
/// <param name="Piece">Input entries whose weights' gradients one warp sums.</param>
/// <param name="LaneColumns">Entries of all output capsules that one lane holds.</param>
/// <param name="Columns">Entries of all output capsules that a row takes.</param>
internal sealed record CudaRoutingLayout(string Name, int Capsules, int Entries, int RowGroups, int Piece, int LaneColumns, int Columns)
{
    /// <summary>From the smallest on.</summary>
    public static IReadOnlyList<CudaRoutingLayout> All { get; } =
    [
        new("J10E16", Capsules: 10, Entries: 16, RowGroups: 4, Piece: 8, LaneColumns: 20, Columns: 160),
        new("J32E16", Capsules: 32, Entries: 16, RowGroups: 1, Piece: 4, LaneColumns: 16, Columns: 512),
        new("J16E32", Capsules: 16, Entries: 32, RowGroups: 1, Piece: 4, LaneColumns: 16, Columns: 512),
        new("J10E64", Capsules: 10, Entries: 64, RowGroups: 1, Piece: 4, LaneColumns: 20, Columns: 640),
    ];

    /// <summary>The smallest that serves; null where none does.</summary>
    public static CudaRoutingLayout? For(long outCapsules, long outDim) =>
        All.FirstOrDefault(layout => outCapsules <= layout.Capsules && outDim <= layout.Entries);

    /// <summary>Floats of one input capsule's weights in shared memory: see capsuleStride in memory.cuh.</summary>
    public long WeightFloats(long outCapsules, long inDim) =>
        outCapsules * (inDim * Entries % 32 == 0 ? inDim * Entries + 16 : inDim * Entries);
}
