namespace Capsules;

/// <summary>A batch row per lane: arrays (block, J, E, lane), a block being as many rows as a vector has lanes.</summary>
internal readonly unsafe struct RowsInLanes<TSimd, TVector> : IVectorLayout
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
    /// <inheritdoc/>
    public static int Parts(in RoutingProblem problem) => RowVotePass<TSimd, TVector>.Parts(problem);

    /// <inheritdoc/>
    public static long VotePassScratch(in RoutingProblem problem) => RowVotePass<TSimd, TVector>.ScratchFloats(problem);

    /// <inheritdoc/>
    public static void Run(ref VotePassJob job) => RowVotePass<TSimd, TVector>.Run(ref job);

    /// <inheritdoc/>
    public static long GradientPassScratch(in RoutingProblem problem) => RowGradientPass<TSimd, TVector>.ScratchFloats(problem);

    /// <inheritdoc/>
    public static void Run(ref GradientPassJob job) => RowGradientPass<TSimd, TVector>.Run(ref job);

    /// <inheritdoc/>
    public static void AddParts(in RoutingProblem problem, float* partial, nint partStride, int parts, float scale, float* bias, float* target)
    {
        var factor = TSimd.Broadcast(scale);
        for (var i = 0; i < problem.J * problem.E; i++)
        {
            var at = (nint)i * TSimd.Lanes;
            var sum = TSimd.Load(partial + at);
            for (var part = 1; part < parts; part++)
            {
                sum = TSimd.Add(sum, TSimd.Load(partial + part * partStride + at));
            }

            TSimd.Store(TSimd.MultiplyAdd(sum, factor, TSimd.Broadcast(bias == null ? 0f : bias[i])), target + at);
        }
    }

    /// <inheritdoc/>
    public static void Squash(in RoutingProblem problem, float* source, float* addend, float* target)
    {
        for (var j = 0; j < problem.J; j++)
        {
            var at = (nint)j * problem.E * TSimd.Lanes;
            RowSquash<TSimd, TVector>.Forward(source + at, addend == null ? null : addend + at, target + at, problem.E);
        }
    }

    /// <inheritdoc/>
    public static void SquashGradient(in RoutingProblem problem, float* source, float* gradient, float* target)
    {
        for (var j = 0; j < problem.J; j++)
        {
            var at = (nint)j * problem.E * TSimd.Lanes;
            RowSquash<TSimd, TVector>.Backward(source + at, gradient + at, target + at, problem.E);
        }
    }

    /// <inheritdoc/>
    public static void Pack(in RoutingProblem problem, int block, float* rows, float* target)
    {
        var columns = problem.J * problem.E;
        BatchLanes.Pack(rows + (nint)block * TSimd.Lanes * columns, columns, problem.RowsOf(block), columns, target, TSimd.Lanes);
    }

    /// <inheritdoc/>
    public static void Unpack(in RoutingProblem problem, int block, float* source, float* rows)
    {
        var columns = problem.J * problem.E;
        BatchLanes.Unpack(source, TSimd.Lanes, problem.RowsOf(block), columns, rows + (nint)block * TSimd.Lanes * columns, columns);
    }

    /// <inheritdoc/>
    public static void SumOverBatch(in RoutingProblem problem, float* vectors, nint blockStride, int count, int first, int last, float* target)
    {
        for (var i = first * problem.E; i < last * problem.E; i++)
        {
            var sum = TSimd.Zero;
            for (var block = 0; block < problem.Blocks; block++)
            {
                var at = vectors + block * blockStride + (nint)i * TSimd.Lanes;
                for (var vector = 0; vector < count; vector++)
                {
                    sum = TSimd.Add(sum, TSimd.Load(at + vector * problem.Capsules));
                }
            }

            target[i] = TSimd.Sum(sum);
        }
    }
}
