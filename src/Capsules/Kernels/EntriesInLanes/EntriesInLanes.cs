namespace Capsules;

/// <summary>Entries of an output capsule in the lanes: arrays (row, J, chunk, lane), a block being one row of the batch.</summary>
/// <remarks>
/// A chunk is as many entries as a vector has lanes. Where E is no multiple of that, the last chunk is moved back to end with
/// the capsule, so that every load of weights is a whole vector within the weights. The entries that it then shares with the
/// chunk before (<see cref="Overlap"/>) are in votes and in partial sums twice. They count once, because V, s, ds and what is made from
/// them hold zeros there.
/// </remarks>
internal readonly unsafe struct EntriesInLanes<TSimd, TVector> : IVectorLayout
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
    /// <summary>The entry with which a chunk starts.</summary>
    public static int Start(in RoutingProblem problem, int chunk) => Math.Min(chunk * TSimd.Lanes, problem.E - TSimd.Lanes);

    /// <summary>The first so many lanes of the last chunk, which it shares with the chunk before.</summary>
    public static int Overlap(in RoutingProblem problem) => problem.Chunks * TSimd.Lanes - problem.E;

    /// <inheritdoc/>
    public static int Parts(in RoutingProblem problem) => EntryVotePass<TSimd, TVector>.Parts(problem);

    /// <inheritdoc/>
    public static long VotePassScratch(in RoutingProblem problem) => EntryVotePass<TSimd, TVector>.ScratchFloats(problem);

    /// <inheritdoc/>
    public static void Run(ref VotePassJob job) => EntryVotePass<TSimd, TVector>.Run(ref job);

    /// <inheritdoc/>
    public static long GradientPassScratch(in RoutingProblem problem) => EntryGradientPass<TSimd, TVector>.ScratchFloats(problem);

    /// <inheritdoc/>
    public static void Run(ref GradientPassJob job) => EntryGradientPass<TSimd, TVector>.Run(ref job);

    /// <inheritdoc/>
    public static void AddParts(in RoutingProblem problem, float* partial, nint partStride, int parts, float scale, float* bias, float* target)
    {
        var factor = TSimd.Broadcast(scale);
        nint at = 0;
        for (var j = 0; j < problem.J; j++)
        {
            for (var chunk = 0; chunk < problem.Chunks; chunk++, at += TSimd.Lanes)
            {
                var sum = TSimd.Load(partial + at);
                for (var part = 1; part < parts; part++)
                {
                    sum = TSimd.Add(sum, TSimd.Load(partial + part * partStride + at));
                }

                var added = bias == null ? TSimd.Zero : TSimd.Load(bias + (nint)j * problem.E + Start(problem, chunk));
                TSimd.Store(TSimd.MultiplyAdd(sum, factor, added), target + at);
            }

            ClearOverlap(problem, target + at);
        }
    }

    /// <inheritdoc/>
    public static void Squash(in RoutingProblem problem, float* source, float* addend, float* target)
    {
        nint size = problem.Chunks * TSimd.Lanes;
        for (var j = 0; j < problem.J; j++)
        {
            var square = Product(source, source, size);
            var factor = TSimd.Broadcast(MathF.Sqrt(square) / (1f + square));
            for (nint at = 0; at < size; at += TSimd.Lanes)
            {
                var v = TSimd.MultiplyAdd(TSimd.Load(source + at), factor, addend == null ? TSimd.Zero : TSimd.Load(addend + at));
                TSimd.Store(v, target + at);
            }

            source += size;
            addend = addend == null ? null : addend + size;
            target += size;
        }
    }

    /// <inheritdoc/>
    /// <remarks>f dv + (f'/n) (s . dv) s with f(n) = n / (1 + n^2); the second term goes to 0 with n.</remarks>
    public static void SquashGradient(in RoutingProblem problem, float* source, float* gradient, float* target)
    {
        nint size = problem.Chunks * TSimd.Lanes;
        for (var j = 0; j < problem.J; j++)
        {
            var square = Product(source, source, size);
            var length = MathF.Sqrt(square);
            var inverse = 1f / (1f + square);
            var slope = (1f - square) * inverse * inverse;
            var radial = TSimd.Broadcast(length > 0 ? slope * Product(source, gradient, size) / length : 0f);
            var factor = TSimd.Broadcast(length * inverse);
            for (nint at = 0; at < size; at += TSimd.Lanes)
            {
                var ds = TSimd.MultiplyAdd(radial, TSimd.Load(source + at), TSimd.Multiply(factor, TSimd.Load(gradient + at)));
                TSimd.Store(ds, target + at);
            }

            source += size;
            gradient += size;
            target += size;
        }
    }

    /// <inheritdoc/>
    public static void Pack(in RoutingProblem problem, int block, float* rows, float* target)
    {
        rows += (nint)block * problem.J * problem.E;
        for (var j = 0; j < problem.J; j++)
        {
            for (var chunk = 0; chunk < problem.Chunks; chunk++, target += TSimd.Lanes)
            {
                TSimd.Store(TSimd.Load(rows + Start(problem, chunk)), target);
            }

            ClearOverlap(problem, target);
            rows += problem.E;
        }
    }

    /// <inheritdoc/>
    public static void Unpack(in RoutingProblem problem, int block, float* source, float* rows)
    {
        rows += (nint)block * problem.J * problem.E;
        nint size = problem.Chunks * TSimd.Lanes;
        for (var j = 0; j < problem.J; j++)
        {
            // From the last chunk to the first, which writes over the zeros of an overlap.
            for (var chunk = problem.Chunks - 1; chunk >= 0; chunk--)
            {
                TSimd.Store(TSimd.Load(source + (nint)chunk * TSimd.Lanes), rows + Start(problem, chunk));
            }

            source += size;
            rows += problem.E;
        }
    }

    /// <inheritdoc/>
    public static void SumOverBatch(in RoutingProblem problem, float* vectors, nint blockStride, int count, int first, int last, float* target)
    {
        for (var j = first; j < last; j++)
        {
            for (var chunk = problem.Chunks - 1; chunk >= 0; chunk--)
            {
                var sum = TSimd.Zero;
                for (var block = 0; block < problem.Blocks; block++)
                {
                    var at = vectors + block * blockStride + ((nint)j * problem.Chunks + chunk) * TSimd.Lanes;
                    for (var vector = 0; vector < count; vector++)
                    {
                        sum = TSimd.Add(sum, TSimd.Load(at + vector * problem.Capsules));
                    }
                }

                TSimd.Store(sum, target + (nint)j * problem.E + Start(problem, chunk));
            }
        }
    }

    /// <summary>Zeros where the last chunk, which ends at <paramref name="end"/>, shares entries with the one before.</summary>
    private static void ClearOverlap(in RoutingProblem problem, float* end)
    {
        var overlap = Overlap(problem);
        for (var lane = 0; lane < overlap; lane++)
        {
            end[lane - TSimd.Lanes] = 0f;
        }
    }

    private static float Product(float* a, float* b, nint size)
    {
        var sum = TSimd.Zero;
        for (nint at = 0; at < size; at += TSimd.Lanes)
        {
            sum = TSimd.MultiplyAdd(TSimd.Load(a + at), TSimd.Load(b + at), sum);
        }

        return TSimd.Sum(sum);
    }
}
