using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>Inverted dot-product attention routing: output capsules compete for inputs by scalar products, and are normalised.</summary>
/// <remarks>
/// <para>First pass: p_j = LayerNorm(sum_i u_hat_ij / J). Each later pass: a_ij = the scalar product of p_j and u_hat_ij, over sqrt(E);
/// c_i = softmax over output capsules j of a_i; p_j = LayerNorm(sum_i c_ij u_hat_ij). Votes are never built.</para>
/// <para>Capsules have no activation and are not squashed: the paper's classifier is one linear layer, shared by all class capsules.</para>
/// <para><see cref="Route"/> is the sequential form: one layer's passes after another's. The concurrent form, in which all layers are
/// updated in every pass, is <see cref="Functional.route_concurrently"/>.</para>
/// <para>With dropout in training mode, what is drawn depends on what other threads draw from torch's generator meanwhile.</para>
/// <para>State dict: <c>weight</c> and <c>bias</c> (E) of the layer normalisation.</para>
/// <para>Tsai, Srivastava, Goh, Salakhutdinov, "Capsules with Inverted Dot-Product Attention Routing", 2020, section 3.
/// https://arxiv.org/abs/2002.04764. Epsilon and dropout before the normalisation are those of the authors' code.</para>
/// </remarks>
public sealed class InvertedDotProductRouting : Routing
{
    private const double Epsilon = 1e-5;

    private Parameter weight;

    private Parameter bias;

    /// <summary>Makes the algorithm for a layer.</summary>
    /// <param name="outDim">E, the dimension of an output capsule, at least 2: of one entry nothing is left by a normalisation.</param>
    /// <param name="iterations">Passes, at least 1; 1 is the uniform pass alone. Default: 2.</param>
    /// <param name="dropout">Dropout before the normalisation, in [0, 1). Default: 0.</param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    /// <exception cref="ArgumentException">The dtype is not floating-point.</exception>
    public InvertedDotProductRouting(long outDim, int iterations = 2, double dropout = 0, Device? device = null, ScalarType? dtype = null)
        : base(nameof(InvertedDotProductRouting))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(outDim, 2);
        ArgumentOutOfRangeException.ThrowIfLessThan(iterations, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(dropout, 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(dropout, 1);
        ShapeGuard.ParameterDtype(nameof(InvertedDotProductRouting), dtype);
        (Iterations, Dropout) = (iterations, dropout);
        weight = Initialize.Parameter([outDim], device, dtype, w => nn.init.ones_(w));
        bias = Initialize.Parameter([outDim], device, dtype, b => nn.init.zeros_(b));
        RegisterComponents();
        if (device is not null)
        {
            (_deviceType, _deviceIndex) = (device.type, device.index);
        }
    }

    /// <summary>Passes.</summary>
    public int Iterations { get; }

    /// <summary>Dropout before the normalisation.</summary>
    public double Dropout { get; }

    /// <inheritdoc/>
    public override RoutingResult Route(
        Votes votes, Tensor? bias = null, Tensor? logits = null, Tensor? activations = null, bool coupling = false)
    {
        CheckArguments(votes, bias, logits, activations);
        using var scope = NewDisposeScope();
        var outputs = Update(votes);
        Tensor? c = null;
        for (var pass = 1; pass < Iterations; pass++)
        {
            c = Coupling(votes, outputs);
            outputs = Normalised(votes, votes.WeightedSum(c));
        }

        c = !coupling ? null : c is null ? votes.UniformCoupling(1.0 / votes.OutCapsules) : votes.Present(c);
        return new RoutingResult(outputs, coupling: c).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor Update(Votes votes, Tensor? outputs = null)
    {
        ArgumentNullException.ThrowIfNull(votes);
        if (outputs is not null)
        {
            ShapeGuard.Shape(GetName(), outputs, nameof(outputs), "B, J, E", [votes.Batch, votes.OutCapsules, votes.OutDim],
                _ => "They must be of the same samples as the input, whose votes they are to meet.");
            votes.CheckLike(GetName(), outputs, nameof(outputs));
        }

        using var scope = NewDisposeScope();
        var sums = outputs is null
            ? Arithmetic.Times(votes.Sum(), 1.0 / votes.OutCapsules)
            : votes.WeightedSum(Coupling(votes, outputs));
        return Normalised(votes, sums).MoveToOuterDisposeScope();
    }

    private static Tensor Coupling(Votes votes, Tensor outputs) =>
        nn.functional.softmax(Arithmetic.Times(votes.Agreement(outputs), 1 / Math.Sqrt(votes.OutDim)), dim: -1);

    private Tensor Normalised(Votes votes, Tensor sums)
    {
        ShapeGuard.Shape(GetName(), weight, nameof(weight), "E", [votes.OutDim], _ => "Make the routing with the outDim of its layer.");
        ShapeGuard.SameDevice(GetName(), weight, nameof(weight), votes.Device, "the votes");
        if (Dropout > 0)
        {
            sums = nn.functional.dropout(sums, Dropout, training);
        }

        return nn.functional.layer_norm(sums, [votes.OutDim], weight.to_type(sums.dtype), bias.to_type(sums.dtype), Epsilon);
    }
}
