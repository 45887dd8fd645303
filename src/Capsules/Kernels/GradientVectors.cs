namespace Capsules;

/// <summary>The vectors from which every vote's gradient is combined, and which of them belong together.</summary>
/// <remarks>
/// With V(t-1) and ds(t) of every iteration known, the gradient of a vote is
/// sum over t of c(t) ds(t) + db(t) V(t-1), where c(t) = softmax(b0 + &lt;u_hat, V(t-1)&gt;), dc(t) = &lt;u_hat, ds(t)&gt; and db(t) is the
/// softmax's gradient. So one dot product of the vote with each vector turns into one factor of each vector:
/// V's agreement into db, ds's into c.
/// All iterations: V(1) .. V(T-1), ds(2) .. ds(T), ds(1). Last iteration alone: V(T-1), ds(T), of which only ds takes part.
/// </remarks>
internal readonly struct GradientVectors
{
    public GradientVectors(in RoutingProblem problem)
    {
        var passes = problem.Passes;
        Pairs = passes - 1;
        if (problem.GradientThroughAll)
        {
            Count = 2 * passes - 1;
            Dots = Count - (problem.FirstCouplingFromLogits ? 0 : 1);
            Combined = Count;
        }
        else
        {
            Pairs = Math.Min(Pairs, 1);
            Count = 1 + Pairs;
            Dots = Pairs;
            Combined = 1;
        }
    }

    /// <summary>Vectors (J, E) for each block of rows.</summary>
    public int Count { get; }

    /// <summary>Iterations after the first whose coupling is made anew: vector i is V, vector Pairs + i the ds of the same iteration.</summary>
    public int Pairs { get; }

    /// <summary>The first so many vectors need their dot products with the votes.</summary>
    public int Dots { get; }

    /// <summary>The last so many vectors take part in the gradient of a vote.</summary>
    public int Combined { get; }

    /// <summary>Where V(t-1) and ds(t) of an iteration t &gt;= 2 are, when all iterations take part.</summary>
    public static int V(int iteration) => iteration - 2;

    public int Ds(int iteration) => iteration == 1 ? Count - 1 : Pairs + iteration - 2;
}
