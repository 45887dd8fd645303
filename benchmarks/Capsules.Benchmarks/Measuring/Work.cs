namespace Capsules.Benchmarks;

/// <summary>What one call of the fused algorithm must compute and must move; the definition behind GFLOP/s and GB/s.</summary>
/// <remarks>
/// Counted is the work of an algorithm that makes votes anew in every pass, since that is what runs. It is not the least
/// work of the function: whoever keeps the votes makes them once. exp, divisions and squash are not counted.
/// </remarks>
internal readonly record struct Work(double Flop, double Bytes)
{
    /// <summary>The definition in words, for the reports. r iterations, B N J D E as everywhere.</summary>
    public static IReadOnlyList<string> Definition { get; } =
    [
        "P = 2 B N J D E: one product that makes all votes, or contracts their gradients. S = 2 B N J E: one sum over votes or one scalar product with them.",
        "forward = r P + (r - 1) 2 S: r passes make votes (the first is a plain matrix product and has no S of its own), each later one takes their agreement with V and sums them under the coupling.",
        "forward + backward = forward + (r - 1) (P + 3 S) + 3 P + (r - 1) 4 S + S: the gradient of each later iteration's agreement makes the votes again (scalar products with V and ds, one sum); a final pass makes them once more, combines every vote's gradient and contracts it into du and dW. With r = 3: 8 P + 19 S.",
        "bytes = one read of u and W in every pass, one write of v, du and dW, one read of dv; float32; packing, partial sums and the vectors of B J E are not counted. Passes: forward r, backward r more.",
        "copy GB/s counts bytes read and bytes written.",
    ];

    public static Work Forward(RoutingCase c)
    {
        var (product, sum) = (Product(c), Sum(c));
        return new(
            c.Iterations * product + (c.Iterations - 1) * 2 * sum,
            c.Iterations * Operands(c) + Outputs(c));
    }

    public static Work Training(RoutingCase c)
    {
        var (product, sum, forward) = (Product(c), Sum(c), Forward(c));
        var agreementGradients = (c.Iterations - 1) * (product + 3 * sum);
        var finalPass = 3 * product + (c.Iterations - 1) * 4 * sum + sum;
        return new(
            forward.Flop + agreementGradients + finalPass,
            forward.Bytes + c.Iterations * Operands(c) + Operands(c) + Outputs(c));
    }

    private static double Product(RoutingCase c) => 2.0 * c.Batch * c.WeightCount;

    private static double Sum(RoutingCase c) => Product(c) / c.InDim;

    /// <summary>Bytes of u and W, also of du and dW.</summary>
    private static double Operands(RoutingCase c) => c.ResultBytes - Outputs(c);

    private static double Outputs(RoutingCase c) => (double)sizeof(float) * c.Batch * c.OutCapsules * c.OutDim;
}
