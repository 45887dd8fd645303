using FsCheck;
using FsCheck.Fluent;
using static TorchSharp.torch;

namespace Capsules.Tests.Properties;

/// <summary>A routing of capsules, drawn at random, with tensors that its seed determines.</summary>
internal sealed record RoutingRun(
    string Algorithm, bool IsMatrix, int B, int Groups, int GroupSize, int D, int J, int E, int Iterations, bool WithBias, int LogitsDims,
    bool WithActivations, bool WithMask, ScalarType Dtype, Layout OfInput, Layout OfWeight, int Gradients, int Seed)
{
    /// <summary>The algorithms that know nothing of how many input capsules there are.</summary>
    public static readonly string[] Algorithms =
    [
        "dynamic", "dynamic leaky", "dynamic last", "em", "em normalised", "k-means", "k-means cosine", "k-means tanimoto", "k-means pearson", "max-min",
        "self", "self-attention", "bayes", "inverted", "uniform",
    ];

    public static Gen<RoutingRun> Any { get; } =
        from algorithm in Gen.Elements(Algorithms)
        from isMatrix in Gen.Elements(true, false, false)
        from b in Draw.Batch
        from groups in Draw.Size
        from groupSize in Gen.Elements(1, 1, 2, 3)
        from d in Draw.Size
        from j in Draw.Size
        from e in Draw.Size
        from p in Gen.Elements(1, 2, 3, 4)
        from iterations in Gen.Choose(1, 4)
        from bias in Draw.Flag
        from logits in Gen.Elements(0, 0, 2, 3)
        from activations in Draw.Flag
        from mask in Gen.Elements(true, false, false)
        from dtype in Draw.Dtype
        from ofInput in Draw.Layout
        from ofWeight in Draw.Layout
        from gradients in Gen.Choose(0, 7)
        from seed in Draw.Seed
        select new RoutingRun(
            algorithm, isMatrix, b, groups, groupSize, isMatrix ? Square(p, algorithm) : d, j, isMatrix ? Square(p, algorithm) : algorithm == "inverted" ? Math.Max(e, 2) : e,
            iterations, bias, logits, activations, mask, dtype, ofInput, ofWeight, gradients, seed);

    private static int Square(int p, string algorithm) => algorithm == "inverted" && p == 1 ? 4 : p * p;

    public int N => Groups * GroupSize;

    public bool IsAllOfFloat64 => Dtype == ScalarType.Float64;

    /// <summary>Input, weight, then what the algorithm takes of bias, logits and activations.</summary>
    public sealed record Inputs(Tensor U, Tensor W, Tensor? Bias, Tensor? Logits, Tensor? Activations, Tensor? Mask)
    {
        public Tensor[] Leaves => [.. new[] { U, W, Bias, Logits, Activations }.OfType<Tensor>()];

        public Inputs Select(Func<Tensor, Tensor> change) => new(change(U), change(W), Bias is null ? null : change(Bias), Logits is null ? null : change(Logits),
            Activations is null ? null : change(Activations), Mask);
    }

    /// <summary>The numbers in float64, each one that the case's dtype has.</summary>
    public Inputs Numbers(RoutingInputs uses)
    {
        using var generator = new Generator((ulong)Seed);
        var matrix = (long)Math.Sqrt(E);
        var mask = WithMask ? rand([B, N], generator: generator).gt(0.3) : null;
        return new Inputs(
            Rounded(Normal(B, N, D).mul_(0.7).As(OfInput)),
            Rounded((IsMatrix ? Normal(Groups, J, matrix, matrix).mul_(1 / Math.Sqrt(matrix)) : Normal(Groups, J, D, E).mul_(0.7 / Math.Sqrt(D))).As(OfWeight)),
            uses.HasFlag(RoutingInputs.Bias) && WithBias ? Rounded(Normal(J, E).mul_(0.3).As(OfWeight)) : null,
            uses.HasFlag(RoutingInputs.Logits) && LogitsDims > 0 ? Rounded((LogitsDims == 2 ? Normal(N, J) : Normal(B, N, J)).As(OfWeight)) : null,
            uses.HasFlag(RoutingInputs.Activations) && WithActivations ? Rounded(rand([B, N], generator: generator).mul_(0.8).add_(0.1).As(OfWeight)) : null,
            mask);

        Tensor Normal(params long[] shape) => randn(shape, generator: generator);
        Tensor Rounded(Tensor tensor) => tensor.to(Dtype).to(float64);
    }

    /// <summary>The algorithm, with the same parameters whatever the dtype.</summary>
    public Capsules.Routing Make(ScalarType dtype)
    {
        Capsules.Routing routing = Algorithm switch
        {
            "dynamic" => new DynamicRouting(Iterations),
            "dynamic leaky" => new DynamicRouting(Iterations, leaky: true),
            "dynamic last" => new DynamicRouting(Iterations, gradient: RoutingGradient.LastIteration),
            "em" => new EMRouting(J, Iterations, dtype: dtype),
            "em normalised" => new EMRouting(J, Iterations, normalizeCost: true, dtype: dtype),
            "k-means" => new KMeansRouting(Iterations),
            "k-means cosine" => new KMeansRouting(Iterations, CapsuleSimilarity.Cosine),
            "k-means tanimoto" => new KMeansRouting(Iterations, CapsuleSimilarity.Tanimoto),
            "k-means pearson" => new KMeansRouting(Iterations, CapsuleSimilarity.Pearson),
            "max-min" => new MaxMinRouting(Iterations),
            "self" => new SelfRouting(1, D, J, dtype: dtype),
            "self-attention" => new SelfAttentionRouting(),
            "bayes" => new VariationalBayesRouting(J, Iterations, batchNorm: false, dtype: dtype),
            "inverted" => new InvertedDotProductRouting(E, Iterations, dtype: dtype),
            _ => new UniformRouting(),
        };
        using var generator = new Generator((ulong)Seed + 1);
        using var noGrad = no_grad();
        foreach (var parameter in routing.parameters())
        {
            parameter.copy_((parameter + randn(parameter.shape, generator: generator) * 0.3).to(bfloat16));      // numbers that every dtype has
        }

        return routing;
    }

    public Votes Votes(Inputs x) => IsMatrix ? new MatrixVotes(x.U, x.W, x.Mask) : new LinearVotes(x.U, x.W, x.Mask);

    public RoutingResult Route(Capsules.Routing routing, Inputs x, bool coupling = false) =>
        routing.Route(Votes(x), x.Bias, x.Logits, x.Activations, coupling);

    public static Tensor[] Outputs(RoutingResult result) => result.Activations is { } activations ? [result.Capsules, activations] : [result.Capsules];
}
