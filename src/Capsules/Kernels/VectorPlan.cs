using System.Runtime.Intrinsics;

namespace Capsules;

/// <summary>What lies side by side in the lanes of a vector.</summary>
internal enum LaneContent
{
    /// <summary>Rows of the batch: any sizes of capsules fill the vectors, if there are rows enough.</summary>
    Rows,

    /// <summary>Entries of an output capsule: a single row fills the vectors, if a capsule has entries enough.</summary>
    Entries,
}

/// <summary>How a call uses vectors.</summary>
internal readonly record struct VectorPlan(LaneContent Content, int Lanes)
{
    private static int Widest { get; } = Vector512.IsHardwareAccelerated ? 16 : Vector256.IsHardwareAccelerated ? 8 : 4;

    /// <summary>The plan for a batch of so many rows and so many output capsules of so many entries, on this machine.</summary>
    /// <remarks>
    /// Entries in lanes read each weight once for all rows and cost in proportion to the rows, with a fixed part for every row and
    /// input capsule; rows in lanes cost as much for one row as for a full vector. At the 2017 sizes the two meet between 2 and 3 rows
    /// with 8 lanes, and with few output capsules, over which the fixed part is spread, at 3 of them for each row. More rows than
    /// that were not measured with 16 lanes.
    /// </remarks>
    public static VectorPlan For(long batch, long outCapsules, long outDim)
    {
        // The widest vectors that one capsule's entries fill, against the narrowest that hold the batch.
        var entries = Math.Min(Widest, outDim >= 16 ? 16 : outDim >= 8 ? 8 : 4);
        var rows = Math.Min(Widest, batch > 8 ? 16 : batch > 4 ? 8 : 4);
        return outDim >= entries && batch <= Math.Min(entries / 4, 2) && outCapsules >= 3 * batch
            ? new(LaneContent.Entries, entries)
            : new(LaneContent.Rows, rows);
    }

    /// <summary>Whether vectors can be so used: entries must fill one.</summary>
    public bool Fits(long outDim) => Content == LaneContent.Rows || outDim >= Lanes;
}
