namespace Capsules;

/// <summary>How initial logits are laid out.</summary>
internal enum LogitsLayout
{
    None,

    /// <summary>(N, J): the same for every row of the batch.</summary>
    Shared,

    /// <summary>(B, N, J).</summary>
    PerRow,
}

/// <summary>One call's sizes and inputs, as the kernels see them.</summary>
internal unsafe struct RoutingProblem
{
    public int B;
    public int N;
    public int D;
    public int J;
    public int E;

    /// <summary>Consecutive input capsules that share one weight.</summary>
    public int GroupSize;

    public int Iterations;
    public bool Leaky;
    public bool GradientThroughAll;
    public LogitsLayout Logits;

    public float* Input;
    public float* Weight;
    public float* Bias;
    public float* InitialLogits;

    /// <summary>What lies in the lanes of a vector, and how many lanes there are.</summary>
    public VectorPlan Plan;

    public int Threads;

    public readonly int Lanes => Plan.Lanes;

    public readonly VoteSizes Sizes => new(J, D, E);

    /// <summary>Batch rows that one vector holds, and so the rows of a block.</summary>
    public readonly int BlockRows => Plan.Content == LaneContent.Rows ? Lanes : 1;

    public readonly int Blocks => (B + BlockRows - 1) / BlockRows;

    /// <summary>Vectors that one output capsule takes for one block.</summary>
    public readonly int Chunks => Plan.Content == LaneContent.Rows ? E : (E + Lanes - 1) / Lanes;

    /// <summary>Floats of one (J, E) array for one block.</summary>
    public readonly nint Capsules => (nint)J * Chunks * Lanes;

    /// <summary>Floats of one (J) array for one block.</summary>
    public readonly nint Couplings => Plan.Content == LaneContent.Rows ? (nint)J * Lanes : (J + Lanes - 1) / Lanes * (nint)Lanes;

    public readonly nint WeightSize => (nint)J * D * E;

    /// <summary>Passes over the input capsules in a forward; zero iterations still need one, with uniform coupling.</summary>
    public readonly int Passes => Math.Max(Iterations, 1);

    /// <summary>Whether the first iteration's coupling differs between capsules.</summary>
    public readonly bool FirstCouplingFromLogits => Logits != LogitsLayout.None;

    public readonly float UniformCoupling => 1f / (J + (Leaky ? 1 : 0));

    public readonly int RowsOf(int block) => Math.Min(BlockRows, B - block * BlockRows);

    public readonly float* WeightOf(int n) => Weight + n / GroupSize * WeightSize;

    /// <summary>The initial logits (J) of one row's input capsule n, where rows have their own; else null.</summary>
    public readonly float* RowLogits(int row, int n) => Logits == LogitsLayout.PerRow ? InitialLogits + ((nint)row * N + n) * J : null;

    /// <summary>
    /// From a weight to the one to prefetch: the next capsule's; where one capsule's weights fill half of a first-level cache of 32 KiB,
    /// those two kilobytes on; where capsules share weights, which are there already, none.
    /// </summary>
    public readonly nint WeightsAhead(bool downwards) => GroupSize > 1 ? 0 : WeightSize > 4096 ? 512 : downwards ? -WeightSize : WeightSize;

    /// <summary>Input capsules to take at once so that their weights stay in the second-level cache over all blocks of rows.</summary>
    public readonly int WeightTile => (int)Math.Clamp(256 * 1024 / sizeof(float) / WeightSize, 1, 64);
}
