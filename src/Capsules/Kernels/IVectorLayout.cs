namespace Capsules;

/// <summary>What a pass over the input capsules sums, for every output capsule.</summary>
internal enum VotePassKind
{
    /// <summary>sum_n u_hat_nj. The caller scales it by the uniform coupling.</summary>
    Uniform,

    /// <summary>sum_n c_nj u_hat_nj with c = softmax(b0 + &lt;u_hat, V&gt;); no probe: c = softmax(b0). Probe: V.</summary>
    Coupled,

    /// <summary>
    /// sum_n db_nj u_hat_nj, the gradient of V, where db is the gradient of the logits of the coupling above under
    /// dc = &lt;u_hat, ds&gt;. Probes: V, ds.
    /// </summary>
    AgreementGradient,
}

/// <summary>One pass over all input capsules that sums votes.</summary>
internal unsafe struct VotePassJob
{
    public RoutingProblem Problem;
    public VotePassKind Kind;

    /// <summary>Vectors (block, vector, J, E) whose dot products with the votes are needed.</summary>
    public float* Probes;
    public nint ProbeBlockStride;
    public nint ProbeStride;

    /// <summary>Sums of shape (part, block, J, E).</summary>
    public float* Partials;

    public float* Scratch;

    /// <summary>
    /// Whether capsules are taken from the last to the first. Passes alternate, so that each begins with the weights that the
    /// one before has left in the caches.
    /// </summary>
    public bool Downwards;
}

/// <summary>The last pass of a backward: the gradients of inputs, weights and initial logits, for all iterations at once.</summary>
internal unsafe struct GradientPassJob
{
    public RoutingProblem Problem;

    /// <summary>Vectors of shape (block, vector, J, E); see <see cref="GradientVectors"/>.</summary>
    public float* Vectors;

    public float* InputGradient;
    public float* WeightGradient;
    public float* LogitsGradient;

    /// <summary>See <see cref="WeightOwnership"/>.</summary>
    public float* WeightPartials;

    public float* Scratch;

    public bool Downwards;
}

/// <summary>Everything that depends on what lies in the lanes of a vector.</summary>
/// <remarks>
/// The algebra of routing and of its gradient is written once, over arrays (block, J, E) in the layout's own order. A layout
/// brings rows of tensors into that order and back, makes the passes over input capsules, and squashes.
/// </remarks>
internal unsafe interface IVectorLayout
{
    /// <summary>Parts of the sums that a pass leaves to be added up.</summary>
    static abstract int Parts(in RoutingProblem problem);

    static abstract long VotePassScratch(in RoutingProblem problem);

    static abstract void Run(ref VotePassJob job);

    static abstract long GradientPassScratch(in RoutingProblem problem);

    static abstract void Run(ref GradientPassJob job);

    /// <summary>target (J, E) = scale * (the sum of parts of the block's sums) + bias (J, E), row-major and null for none. The target may be the first part.</summary>
    static abstract void AddParts(in RoutingProblem problem, float* partial, nint partStride, int parts, float scale, float* bias, float* target);

    /// <summary>target (J, E) = squash(source) + addend, null for none. The target may be the addend.</summary>
    static abstract void Squash(in RoutingProblem problem, float* source, float* addend, float* target);

    /// <summary>target (J, E) = the gradient of source under the gradient of squash(source).</summary>
    static abstract void SquashGradient(in RoutingProblem problem, float* source, float* gradient, float* target);

    /// <summary>Brings the block's rows of (B, J, E) into the layout's order.</summary>
    static abstract void Pack(in RoutingProblem problem, int block, float* rows, float* target);

    /// <summary>The way back.</summary>
    static abstract void Unpack(in RoutingProblem problem, int block, float* source, float* rows);

    /// <summary>target (J, E), row-major, = the sum over the vectors (block, J, E), for output capsules from first to before last.</summary>
    static abstract void SumOverBatch(in RoutingProblem problem, float* vectors, nint blockStride, int count, int first, int last, float* target);
}
