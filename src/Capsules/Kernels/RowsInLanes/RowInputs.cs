namespace Capsules;

/// <summary>Brings a block of rows of the inputs and of the initial logits into lanes.</summary>
internal static unsafe class RowInputs
{
    /// <summary>target[i, d] = the block's rows of input capsule first + i.</summary>
    public static void PackInput(in RoutingProblem problem, int block, int first, int count, float* target)
    {
        var stride = (nint)problem.N * problem.D;
        var source = problem.Input + (nint)block * problem.Lanes * stride + (nint)first * problem.D;
        BatchLanes.Pack(source, stride, problem.RowsOf(block), count * problem.D, target, problem.Lanes);
    }

    /// <summary>target[i, j] = the block's rows of the initial logits of input capsule first + i, where rows have their own.</summary>
    public static void PackLogits(in RoutingProblem problem, int block, int first, int count, float* target)
    {
        if (problem.Logits != LogitsLayout.PerRow)
        {
            return;
        }

        var stride = (nint)problem.N * problem.J;
        var source = problem.InitialLogits + (nint)block * problem.Lanes * stride + (nint)first * problem.J;
        BatchLanes.Pack(source, stride, problem.RowsOf(block), count * problem.J, target, problem.Lanes);
    }
}
