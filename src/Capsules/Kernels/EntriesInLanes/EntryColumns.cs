namespace Capsules;

/// <summary>The vectors of one output row (J, E): where in one input capsule's weights (J, D, E) each begins.</summary>
internal readonly unsafe struct EntryColumns
{
    private EntryColumns(int* offsets, in RoutingProblem problem)
    {
        Offsets = offsets;
        Count = problem.J * problem.Chunks;
        InDim = problem.D;
        Stride = problem.E;
        FillLines = problem.E % 16 == 0;
    }

    /// <summary>From the weights' begin to each column, for input entry 0.</summary>
    public int* Offsets { get; }

    /// <summary>Columns: J times the chunks of an output capsule, in the order of arrays (J, chunk, lane).</summary>
    public int Count { get; }

    /// <summary>D, the vectors of a column.</summary>
    public int InDim { get; }

    /// <summary>From one input entry to the next within a column.</summary>
    public nint Stride { get; }

    /// <summary>Whether neighbouring columns lie side by side in whole cache lines of 16 floats.</summary>
    public bool FillLines { get; }

    /// <summary>Scratch that <see cref="Create{TSimd, TVector}"/> needs, in floats.</summary>
    public static long Floats(in RoutingProblem problem) => NativeBuffer.Aligned(problem.J * (long)problem.Chunks);

    public static EntryColumns Create<TSimd, TVector>(in RoutingProblem problem, float* memory)
        where TSimd : struct, ISimd<TVector>
        where TVector : unmanaged
    {
        var columns = new EntryColumns((int*)memory, problem);
        for (var column = 0; column < columns.Count; column++)
        {
            columns.Offsets[column] =
                column / problem.Chunks * problem.D * problem.E + EntriesInLanes<TSimd, TVector>.Start(problem, column % problem.Chunks);
        }

        return columns;
    }
}
