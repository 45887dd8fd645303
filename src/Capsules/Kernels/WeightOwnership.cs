using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>Which task of the gradient pass sums which weights' gradients.</summary>
/// <remarks>
/// Tasks split the input capsules. Where enough groups of capsules share weights (or none do), tasks meet at the borders of
/// groups and each group's gradient has one owner; where groups are too few, every task sums all of them on its own, and
/// the parts are added up at the end, in their order.
/// </remarks>
internal readonly unsafe struct WeightOwnership
{
    private readonly RoutingProblem _problem;

    public WeightOwnership(in RoutingProblem problem) => _problem = problem;

    public int Tasks => Math.Min(_problem.Threads, _problem.N);

    /// <summary>Whether every group's gradient has one owner.</summary>
    public bool IsWhole => _problem.GroupSize == 1 || Groups >= 4 * _problem.Threads;

    /// <summary>Floats of the partial sums (task, group, J, D, E).</summary>
    public long PartialFloats => IsWhole ? 0 : Tasks * TaskFloats;

    private int Groups => _problem.N / _problem.GroupSize;

    private long TaskFloats => Groups * (long)_problem.WeightSize;

    /// <summary>The input capsules of a task, from begin to before end.</summary>
    public (int Begin, int End) Range(int task)
    {
        var unit = IsWhole ? _problem.GroupSize : 1;
        var units = (long)(_problem.N / unit);
        return ((int)(units * task / Tasks) * unit, (int)(units * (task + 1) / Tasks) * unit);
    }

    /// <summary>Where a task sums weight gradients (group, J, D, E); null where none are wanted.</summary>
    public float* Target(in GradientPassJob job, int task)
    {
        if (job.WeightGradient == null || IsWhole)
        {
            return job.WeightGradient;
        }

        var target = job.WeightPartials + task * TaskFloats;
        NativeMemory.Clear(target, (nuint)(TaskFloats * sizeof(float)));
        return target;
    }

    /// <summary>Adds up the partial sums, where there are any.</summary>
    public void Reduce(in GradientPassJob job)
    {
        if (job.WeightGradient == null || IsWhole)
        {
            return;
        }

        for (nint i = 0; i < TaskFloats; i++)
        {
            var sum = job.WeightPartials[i];
            for (var task = 1; task < Tasks; task++)
            {
                sum += job.WeightPartials[task * TaskFloats + i];
            }

            job.WeightGradient[i] = sum;
        }
    }
}
