using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>Dynamic routing from inputs to capsules, without votes or logits in memory.</summary>
/// <remarks>
/// The logits of iteration t are b0 + sum over earlier iterations of &lt;u_hat, v&gt; = b0 + &lt;u_hat, V&gt; with V the running sum
/// of v, so V (B, J, E) is all that one iteration hands to the next.
/// </remarks>
internal static unsafe class DynamicRoutingForward<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : unmanaged
{
    private struct Finish
    {
        public RoutingProblem Problem;
        public float* Partials;
        public int Parts;
        public float Scale;
        public float* Sums;
        public float* V;
        public float* Output;
    }

    /// <summary>Writes v (B, J, E), and s of every iteration in lanes, (iteration, block, J, E), unless <paramref name="saved"/> is null.</summary>
    public static void Run(in RoutingProblem problem, float* output, float* saved)
    {
        var all = problem.Blocks * problem.Capsules;
        var partialFloats = VotePass<TSimd, TVector>.PartialFloats(problem);
        using var buffer = new NativeBuffer(2 * all + partialFloats + VotePass<TSimd, TVector>.ScratchFloats(problem));
        var v = buffer.Pointer;
        var sums = v + all;
        var job = new VotePass<TSimd, TVector>.Job
        {
            Problem = problem,
            ProbeBlockStride = problem.Capsules,
            Partials = sums + all,
            Scratch = sums + all + partialFloats,
        };
        NativeMemory.Clear(v, (nuint)(all * sizeof(float)));

        for (var pass = 0; pass < problem.Passes; pass++)
        {
            var uniform = pass == 0 && !problem.FirstCouplingFromLogits;
            job.Kind = uniform ? VotePassKind.Uniform : VotePassKind.Coupled;
            job.Probes = pass == 0 ? null : v;
            job.ProbeBlockStride = pass == 0 ? 0 : problem.Capsules;
            VotePass<TSimd, TVector>.Run(ref job);

            var finish = new Finish
            {
                Problem = problem,
                Partials = job.Partials,
                Parts = VotePass<TSimd, TVector>.Parts(problem),
                Scale = uniform ? problem.UniformCoupling : 1f,
                Sums = saved == null ? sums : saved + pass * all,
                V = v,
                Output = pass == problem.Passes - 1 ? output : null,
            };
            ParallelFor.RunIfWorthwhile(problem.Blocks, all * finish.Parts, &FinishBlock, &finish);
        }
    }

    /// <summary>s = the partial sums + bias; then V += squash(s), or on the last pass the output.</summary>
    private static void FinishBlock(int block, void* state)
    {
        ref var finish = ref *(Finish*)state;
        ref var problem = ref finish.Problem;
        var lanes = problem.Lanes;
        var size = problem.Capsules;
        var s = finish.Sums + block * size;
        var partial = finish.Partials + block * size;
        var scale = TSimd.Broadcast(finish.Scale);
        for (var i = 0; i < problem.J * problem.E; i++)
        {
            var at = (nint)i * lanes;
            var sum = TSimd.Load(partial + at);
            for (var part = 1; part < finish.Parts; part++)
            {
                sum = TSimd.Add(sum, TSimd.Load(partial + part * problem.Blocks * size + at));
            }

            var bias = TSimd.Broadcast(problem.Bias == null ? 0f : problem.Bias[i]);
            TSimd.Store(TSimd.MultiplyAdd(sum, scale, bias), s + at);
        }

        // The first part of the partial sums is spent now and takes the capsules until they are in rows again.
        var v = finish.Output == null ? finish.V + block * size : partial;
        for (var j = 0; j < problem.J; j++)
        {
            var at = (nint)j * problem.E * lanes;
            SquashLanes<TSimd, TVector>.Forward(s + at, finish.Output == null ? v + at : null, v + at, problem.E);
        }

        if (finish.Output != null)
        {
            var columns = problem.J * problem.E;
            BatchLanes.Unpack(partial, lanes, problem.RowsOf(block), columns, finish.Output + (nint)block * lanes * columns, columns);
        }
    }
}
