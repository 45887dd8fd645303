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

    /// <summary>Batch rows in a block: one per lane.</summary>
    public int Lanes;

    public int Threads;

    public readonly VoteSizes Sizes => new(J, D, E);

    public readonly int Blocks => (B + Lanes - 1) / Lanes;

    /// <summary>Floats of one (J, E) array for one block.</summary>
    public readonly nint Capsules => (nint)J * E * Lanes;

    /// <summary>Floats of one (J) array for one block.</summary>
    public readonly nint Couplings => (nint)J * Lanes;

    public readonly nint WeightSize => (nint)J * D * E;

    /// <summary>Passes over the input capsules in a forward; zero iterations still need one, with uniform coupling.</summary>
    public readonly int Passes => Math.Max(Iterations, 1);

    /// <summary>Whether the first iteration's coupling differs between capsules.</summary>
    public readonly bool FirstCouplingFromLogits => Logits != LogitsLayout.None && Iterations > 0;

    public readonly float UniformCoupling => 1f / (J + (Leaky ? 1 : 0));

    public readonly int RowsOf(int block) => Math.Min(Lanes, B - block * Lanes);

    public readonly float* WeightOf(int n) => Weight + n / GroupSize * WeightSize;

    /// <summary>Input capsules to take at once so that their weights stay in the second-level cache over all blocks of rows.</summary>
    public readonly int WeightTile => (int)Math.Clamp(256 * 1024 / sizeof(float) / WeightSize, 1, 64);

    /// <summary>The widest vectors this machine has, but no wider than the batch fills.</summary>
    public static int LanesFor(long batch, int? forced = null)
    {
        if (forced is { } lanes)
        {
            return lanes;
        }

        var widest = System.Runtime.Intrinsics.Vector512.IsHardwareAccelerated ? 16
            : System.Runtime.Intrinsics.Vector256.IsHardwareAccelerated ? 8
            : 4;
        var needed = batch <= 4 ? 4 : batch <= 8 ? 8 : 16;
        return Math.Min(widest, needed);
    }
}
