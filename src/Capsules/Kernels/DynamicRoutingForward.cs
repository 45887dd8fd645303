using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>Dynamic routing from inputs to capsules, without votes or logits in memory.</summary>
/// <remarks>
/// The logits of iteration t are b0 + sum over earlier iterations of &lt;u_hat, v&gt; = b0 + &lt;u_hat, V&gt; with V the running sum
/// of v, so V (B, J, E) is all that one iteration hands to the next.
/// </remarks>
internal static unsafe class DynamicRoutingForward<TLayout> where TLayout : struct, IVectorLayout
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

    /// <summary>Writes v (B, J, E), and s of every iteration, (iteration, block, J, E), unless <paramref name="saved"/> is null.</summary>
    public static void Run(in RoutingProblem problem, float* output, float* saved)
    {
        var all = problem.Blocks * problem.Capsules;
        var parts = TLayout.Parts(problem);
        using var buffer = new NativeBuffer((2 + parts) * all + TLayout.VotePassScratch(problem));
        var v = buffer.Pointer;
        var sums = v + all;
        var job = new VotePassJob
        {
            Problem = problem,
            Partials = sums + all,
            Scratch = sums + (1 + parts) * all,
        };
        NativeMemory.Clear(v, (nuint)(all * sizeof(float)));

        for (var pass = 0; pass < problem.Passes; pass++)
        {
            var uniform = pass == 0 && !problem.FirstCouplingFromLogits;
            job.Kind = uniform ? VotePassKind.Uniform : VotePassKind.Coupled;
            job.Probes = pass == 0 ? null : v;
            job.ProbeBlockStride = pass == 0 ? 0 : problem.Capsules;
            job.Downwards = pass % 2 == 1;
            TLayout.Run(ref job);

            var finish = new Finish
            {
                Problem = problem,
                Partials = job.Partials,
                Parts = parts,
                Scale = uniform ? problem.UniformCoupling : 1f,
                Sums = saved == null ? sums : saved + pass * all,
                V = v,
                Output = pass == problem.Passes - 1 ? output : null,
            };
            ParallelFor.RunIfWorthwhile(problem.Blocks, all * parts, &FinishBlock, &finish);
        }
    }

    /// <summary>s = the partial sums + bias; then V += squash(s), or on the last pass the output.</summary>
    private static void FinishBlock(int block, void* state)
    {
        ref var finish = ref *(Finish*)state;
        ref var problem = ref finish.Problem;
        var size = problem.Capsules;
        var s = finish.Sums + block * size;
        var partial = finish.Partials + block * size;
        TLayout.AddParts(problem, partial, problem.Blocks * size, finish.Parts, finish.Scale, problem.Bias, s);
        if (finish.Output == null)
        {
            TLayout.Squash(problem, s, finish.V + block * size, finish.V + block * size);
            return;
        }

        // The first part of the partial sums is spent now and takes the capsules until they are in rows again.
        TLayout.Squash(problem, s, null, partial);
        TLayout.Unpack(problem, block, partial, finish.Output);
    }
}
