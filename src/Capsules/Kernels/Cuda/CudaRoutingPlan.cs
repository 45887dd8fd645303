namespace Capsules;

/// <summary>Which CUDA kernels serve a problem, and in how many blocks of what size its passes run.</summary>
/// <remarks>
/// A function of the sizes, the passes forward and the number of multiprocessors alone, so that the same call on the same card adds in the
/// same order.
/// benchmarks/cuda/routing.py makes the same plan.
/// </remarks>
internal sealed class CudaRoutingPlan
{
    /// <summary>48 KiB: what every card gives a block without being asked.</summary>
    private const long SharedFloats = 12288;

    /// <summary>Warps of a block that passes over the input capsules, and such blocks on one multiprocessor.</summary>
    private const int Warps = 4, ResidentBlocks = 3;

    private const int GridHeight = 65535;

    public CudaRoutingPlan(in CudaRoutingSizes sizes, int passes, int multiprocessors)
    {
        Sizes = sizes;
        Layout = CudaRoutingLayout.For(sizes.J, sizes.E) ?? throw new ArgumentException(WhyNot(sizes), nameof(sizes));
        RowWarps = RowWarpsFor(sizes, Layout);
        var tileRows = RowWarps * 2 * Layout.RowGroups;
        var slotFloats = SlotFloats(sizes, Layout);
        var slots = (int)Math.Min(Warps / RowWarps, SharedFloats / slotFloats);
        var gradientFloats = GradientFloats(sizes, Layout);
        var gradientWarps = (int)Math.Min(Warps, SharedFloats / gradientFloats);
        if (slots == 0 || gradientWarps == 0)
        {
            throw new ArgumentException(WhyNot(sizes), nameof(sizes));
        }

        PassThreads = 32 * RowWarps * slots;
        var exchange = slots > 1 ? (long)RowWarps * 32 * 2 * Layout.LaneColumns : 0;
        PassShared = (int)(sizeof(float) * Math.Max(slots * slotFloats, exchange));
        RowTiles = CeilDiv(sizes.B, tileRows);

        // Parts of the input capsules fill the card, but their sums (part, B, J, E) stay a sixteenth of the votes, or 8 parts.
        var most = Math.Max(Math.Min(sizes.N, 8), sizes.N / 16);
        var resident = multiprocessors * ResidentBlocks;
        var parts = (long)resident * (RowTiles > resident / 2 ? 2 : 1) / RowTiles;
        parts = Math.Max(1, Math.Min(Math.Min(parts, most), GridHeight));
        Chunk = CeilDiv(CeilDiv(sizes.N, parts), slots) * slots;
        Parts = CeilDiv(sizes.N, Chunk);

        GradientThreads = 32 * gradientWarps;
        GradientShared = (int)(sizeof(float) * gradientWarps * gradientFloats);
        var target = (long)resident * Warps;
        var units = (long)sizes.Groups * CeilDiv(sizes.D, Layout.Piece);

        // Parts of gradients, and what they are added up to in float32, come after those sums and get their memory: or all that is left of
        // a tenth of the votes beside s, V and ds of each pass.
        var budget = Math.Max(most, sizes.N / 10 - 3L * passes - 1) * sizes.B * sizes.J * sizes.E;
        var weights = (long)sizes.Groups * sizes.J * sizes.D * sizes.E;
        var logits = (long)sizes.N * sizes.J;
        var chunks = Math.Min(Math.Min(target / units, sizes.GroupSize), budget / weights - 1);
        GradientChunk = CeilDiv(sizes.GroupSize, Math.Max(1, chunks));
        Chunks = CeilDiv(sizes.GroupSize, GradientChunk);
        units *= Chunks;
        var affordable = (budget - weights - logits) / (Chunks * weights + logits);
        var rowParts = Math.Max(1, Math.Min(Math.Min(target / units, CeilDiv(sizes.B, Layout.RowGroups)), affordable));
        GradientRows = CeilDiv(CeilDiv(sizes.B, rowParts), Layout.RowGroups) * Layout.RowGroups;
        RowParts = CeilDiv(sizes.B, GradientRows);
        GradientBlocks = CeilDiv(units, gradientWarps);
        VectorBlocks = CeilDiv((long)sizes.B * sizes.J, 8);
    }

    public CudaRoutingSizes Sizes { get; }

    public CudaRoutingLayout Layout { get; }

    /// <summary>Warps of a block that hold different rows of the batch.</summary>
    public int RowWarps { get; }

    public int PassThreads { get; }

    /// <summary>Bytes.</summary>
    public int PassShared { get; }

    /// <summary>Blocks of a pass over the batch.</summary>
    public int RowTiles { get; }

    /// <summary>Input capsules of one part of the sums.</summary>
    public int Chunk { get; }

    public int Parts { get; }

    public int GradientThreads { get; }

    /// <summary>Bytes.</summary>
    public int GradientShared { get; }

    /// <summary>Input capsules of one group that one warp of the gradient pass takes.</summary>
    public int GradientChunk { get; }

    /// <summary>Those chunks in a group.</summary>
    public int Chunks { get; }

    /// <summary>Rows of the batch that one warp of the gradient pass takes.</summary>
    public int GradientRows { get; }

    public int RowParts { get; }

    public int GradientBlocks { get; }

    /// <summary>Blocks of the kernels that take one vector of (B, J) to a warp.</summary>
    public int VectorBlocks { get; }

    /// <summary>Threads of their blocks.</summary>
    public static int VectorThreads => 256;

    /// <summary>Parts of each weight's gradient, to be added up where there are several.</summary>
    public int WeightParts => Chunks * RowParts;

    /// <summary>Why no kernel serves these sizes, or null when one does.</summary>
    public static string? WhyNot(in CudaRoutingSizes sizes)
    {
        if (CudaRoutingLayout.For(sizes.J, sizes.E) is not { } layout)
        {
            return "The CUDA kernel serves up to 10 output capsules of up to 64 entries, 16 of 32 or 32 of 16, " +
                $"but got {sizes.J} of {sizes.E}.";
        }

        if (SlotFloats(sizes, layout) > SharedFloats || GradientFloats(sizes, layout) > SharedFloats)
        {
            return "The CUDA kernel holds one input capsule's weights in 48 KiB of shared memory, and those of " +
                $"{sizes.D} entries to {sizes.J} output capsules of {sizes.E} do not fit.";
        }

        return (long)sizes.Groups * CeilDiv(sizes.D, layout.Piece) * Math.Min(sizes.GroupSize, 1 << 16) > int.MaxValue
            || (long)sizes.B * sizes.J > int.MaxValue
            ? "The CUDA kernel counts its blocks in 32 bits, and this problem has too many."
            : null;
    }

    private static int RowWarpsFor(in CudaRoutingSizes sizes, CudaRoutingLayout layout)
    {
        var most = layout.RowGroups > 1 ? 2 : Warps;
        var warps = 1;
        while (warps < most && warps * 2 * layout.RowGroups < sizes.B)
        {
            warps *= 2;
        }

        return warps;
    }

    /// <summary>Floats of shared memory for one input capsule at a time in a pass: its weights, its entries for a block's rows.</summary>
    private static long SlotFloats(in CudaRoutingSizes sizes, CudaRoutingLayout layout) =>
        layout.WeightFloats(sizes.J, sizes.D) + (long)sizes.D * RowWarpsFor(sizes, layout) * 2 * layout.RowGroups;

    /// <summary>Floats of shared memory for one warp of the gradient pass.</summary>
    private static long GradientFloats(in CudaRoutingSizes sizes, CudaRoutingLayout layout) =>
        layout.WeightFloats(sizes.J, sizes.D) + layout.RowGroups * (((long)sizes.D + 3) / 4 * 4)
        + (layout.RowGroups > 1 ? layout.RowGroups * (layout.Columns + 8) : 0);

    private static int CeilDiv(long a, long b) => (int)((a + b - 1) / b);
}

/// <summary>The sizes of a routing problem.</summary>
internal readonly record struct CudaRoutingSizes(int B, int N, int D, int J, int E, int GroupSize)
{
    /// <summary>Groups of input capsules that share weights.</summary>
    public int Groups => N / GroupSize;
}
