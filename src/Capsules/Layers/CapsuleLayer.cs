using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>A layer of capsules: every input capsule votes for every output capsule, and routing decides which votes count.</summary>
/// <remarks>
/// <para>u_hat_ij = u_i W_ij; (v, c) = routing(u_hat). Capsules (B, N, D) to capsules (B, J, E).</para>
/// <para>State dict: <c>weight</c> (G, J, D, E), for matrix capsules (G, J, P, P), where G is N, or N / sharedPositions;
/// <c>bias</c> (J, E) where there is one; <c>logits</c> (N, J) where they are learned; the routing's own parameters under
/// <c>routing.</c>.</para>
/// <para>Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, sections 2 and 4 (DigitCaps).
/// https://arxiv.org/abs/1710.09829</para>
/// </remarks>
public sealed class CapsuleLayer : nn.Module<Tensor, Tensor>
{
    private Parameter weight;

    private Parameter? bias;

    private Parameter? logits;

    private readonly Routing routing;

    private readonly CapsuleTransform _transform;

    /// <summary>Makes a layer with dynamic routing.</summary>
    /// <param name="inCapsules">N, the input capsules, at least 1.</param>
    /// <param name="inDim">D, their dimension, at least 1.</param>
    /// <param name="outCapsules">J, the output capsules, at least 1.</param>
    /// <param name="outDim">E, their dimension, at least 1.</param>
    /// <param name="routingIterations">Iterations of dynamic routing, at least 0. Default: 3. 0 couples uniformly.</param>
    /// <param name="bias">
    /// Whether a bias is added to every output capsule's input in every iteration. Default (null): as in the preset, none in
    /// <see cref="Preset.Paper"/>, one in <see cref="Preset.OfficialCode"/>. It is zero at first, 0.1 in the official code's preset.
    /// </param>
    /// <param name="leaky">Whether an orphan class takes part in the routing softmax. Default: false.</param>
    /// <param name="gradient">How far the gradient reaches through the iterations. Default: through all.</param>
    /// <param name="learnedLogits">Whether the initial routing logits are a parameter, zero at first. Default: false.</param>
    /// <param name="sharedPositions">
    /// How many consecutive input capsules share their matrices, a divisor of N. Default: 1, none. With the order of
    /// <see cref="PrimaryCapsule"/>, h * w shares them over all positions of a type.
    /// </param>
    /// <param name="preset">
    /// Initialisation. <see cref="Preset.Paper"/> (default): normal of standard deviation J / sqrt(N E), with J + 1 for J where the
    /// routing is leaky, with which an output's input is as long as an input capsule on average, whatever the sizes, so that stacked
    /// layers train; the paper gives none. <see cref="Preset.OfficialCode"/>: truncated normal of standard deviation 0.1, bias 0.1.
    /// </param>
    /// <param name="kernel">Which implementation of the routing computes. Default: the fused kernel where it serves.</param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of its range.</exception>
    /// <exception cref="ArgumentException">
    /// <paramref name="sharedPositions"/> does not divide N, the dtype is not floating-point, or logits are to be learned that would
    /// get no gradient.
    /// </exception>
    public CapsuleLayer(
        long inCapsules,
        long inDim,
        long outCapsules,
        long outDim,
        int routingIterations = 3,
        bool? bias = null,
        bool leaky = false,
        RoutingGradient gradient = RoutingGradient.AllIterations,
        bool learnedLogits = false,
        long sharedPositions = 1,
        Preset preset = Preset.Paper,
        RoutingKernel kernel = RoutingKernel.Automatic,
        Device? device = null,
        ScalarType? dtype = null)
        : this(inCapsules, inDim, outCapsules, outDim, new DynamicRouting(routingIterations, leaky, gradient, kernel),
            bias, learnedLogits, sharedPositions, preset, CapsuleKind.Vector, device, dtype)
    {
    }

    /// <summary>Makes a layer with a given routing.</summary>
    /// <param name="inCapsules">N, the input capsules, at least 1.</param>
    /// <param name="inDim">D, their dimension, at least 1.</param>
    /// <param name="outCapsules">J, the output capsules, at least 1.</param>
    /// <param name="outDim">E, their dimension, at least 1.</param>
    /// <param name="routing">The routing; it becomes part of this layer.</param>
    /// <param name="bias">
    /// Whether there is a bias (J, E), as in the other constructor. Default (null): as in the preset, where the routing uses one.
    /// </param>
    /// <param name="learnedLogits">Whether the initial routing logits are a parameter. Default: false.</param>
    /// <param name="sharedPositions">How many consecutive input capsules share their matrices, a divisor of N. Default: 1.</param>
    /// <param name="preset">
    /// Initialisation, as in the other constructor; where the routing's initial coupling is not 1 / J, that takes its place. With
    /// routings that take means of votes, weighted by activations, <see cref="Preset.Paper"/> draws with standard deviation
    /// 1 / sqrt(E), which makes a vote as long as an input capsule.
    /// </param>
    /// <param name="kind">
    /// Vectors (default), or pose matrices: then D and E are the same P * P, a weight is P x P, and P takes the place of E in the
    /// initialisation.
    /// </param>
    /// <param name="device">The device. Default: the CPU.</param>
    /// <param name="dtype">The dtype. Default: float32.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of its range.</exception>
    /// <exception cref="ArgumentException">
    /// <paramref name="sharedPositions"/> does not divide N, the dtype is not floating-point, dimensions do not fit the kind, the routing
    /// does not use the bias or the logits, or logits are to be learned that would get no gradient.
    /// </exception>
    /// <exception cref="ArgumentNullException"><paramref name="routing"/> is null.</exception>
    public CapsuleLayer(
        long inCapsules,
        long inDim,
        long outCapsules,
        long outDim,
        Routing routing,
        bool? bias = null,
        bool learnedLogits = false,
        long sharedPositions = 1,
        Preset preset = Preset.Paper,
        CapsuleKind kind = CapsuleKind.Vector,
        Device? device = null,
        ScalarType? dtype = null)
        : base(nameof(CapsuleLayer))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(inCapsules, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(outCapsules, 1);
        ArgumentNullException.ThrowIfNull(routing);
        ArgumentOutOfRangeException.ThrowIfLessThan(sharedPositions, 1);
        if (inCapsules % sharedPositions != 0)
        {
            throw new ArgumentException(
                $"CapsuleLayer expected sharedPositions to divide inCapsules = {inCapsules}, but got {sharedPositions}. " +
                "Give the height times the width of the primary capsules' grid.", nameof(sharedPositions));
        }

        if (learnedLogits && routing is (DynamicRouting { Iterations: 0 } or DynamicRouting { Gradient: RoutingGradient.LastIteration }))
        {
            throw new ArgumentException(
                "CapsuleLayer's learned logits get no gradient from routing with 0 iterations or through the last iteration only. " +
                "Use at least 1 iteration and RoutingGradient.AllIterations, or learnedLogits: false.", nameof(learnedLogits));
        }

        ShapeGuard.ParameterDtype(nameof(CapsuleLayer), dtype);
        _transform = new CapsuleTransform(nameof(CapsuleLayer), kind, inDim, outDim);
        _transform.CheckUse(routing, RoutingInputs.Bias, bias == true, nameof(bias));
        _transform.CheckUse(routing, RoutingInputs.Logits, learnedLogits, nameof(learnedLogits));
        (InCapsules, InDim, OutCapsules, OutDim) = (inCapsules, inDim, outCapsules, outDim);
        weight = Initialize.Parameter([inCapsules / sharedPositions, outCapsules, .. _transform.MatrixShape], device, dtype,
            w => DrawWeight(w, routing, preset));
        this.bias = bias ?? (preset == Preset.OfficialCode && routing.Uses.HasFlag(RoutingInputs.Bias))
            ? Initialize.Parameter([outCapsules, outDim], device, dtype,
                b => Initialize.Constant(b, preset == Preset.OfficialCode ? 0.1 : 0))
            : null;
        logits = learnedLogits ? Initialize.Parameter([inCapsules, outCapsules], device, dtype, b => nn.init.zeros_(b)) : null;
        this.routing = routing;
        RegisterComponents();
        if (device is not null)
        {
            (_deviceType, _deviceIndex) = (device.type, device.index);
        }
    }

    /// <summary>N, the input capsules.</summary>
    public long InCapsules { get; }

    /// <summary>D, their dimension.</summary>
    public long InDim { get; }

    /// <summary>J, the output capsules.</summary>
    public long OutCapsules { get; }

    /// <summary>E, their dimension.</summary>
    public long OutDim { get; }

    /// <summary>The transformation matrices, (G, J, D, E), or (G, J, P, P).</summary>
    public Parameter Weight => weight;

    /// <summary>The bias (J, E), or null.</summary>
    public Parameter? Bias => bias;

    /// <summary>The learned initial routing logits (N, J), or null.</summary>
    public Parameter? Logits => logits;

    /// <summary>The routing.</summary>
    public Routing Routing => routing;

    /// <summary>Whether the capsules are vectors or pose matrices.</summary>
    public CapsuleKind Kind => _transform.Kind;

    /// <summary>Turns input capsules into output capsules.</summary>
    /// <param name="input">Capsules (B, N, D), of the dtype and on the device of the weight.</param>
    /// <returns>Capsules (B, J, E); for their activations, where the routing gives any, call <see cref="Route"/>.</returns>
    /// <exception cref="ArgumentException">
    /// The shape, dtype or device does not fit, or the routing needs activations of matrix capsules.
    /// </exception>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return Route(input).Capsules.MoveToOuterDisposeScope();
    }

    /// <summary>Turns input capsules into output capsules, with more said and more given back than <see cref="forward"/>.</summary>
    /// <param name="input">Capsules (B, N, D), of the dtype and on the device of the weight.</param>
    /// <param name="activations">
    /// Activations (B, N) of the input capsules, for routings that use them. Default: the lengths of vector capsules; matrix capsules
    /// need them.
    /// </param>
    /// <param name="mask">
    /// Which input capsules are there: Bool (B, N). Default: all. The others count as removed, whatever they hold. For samples with
    /// different numbers of capsules: <see cref="Functional.sequence_mask"/>.
    /// </param>
    /// <param name="coupling">Whether the coupling coefficients are wanted. Default: false.</param>
    /// <param name="initialLogits">
    /// Initial routing logits (N, J) or (B, N, J), added to the learned ones where the layer has them. Default: none, zero.
    /// Minus infinity keeps an input capsule from an output capsule; at least one entry of a row must be finite.
    /// </param>
    /// <returns>
    /// The output capsules, their activations where the routing gives any, and the coupling coefficients (B, N, J) when asked for, in
    /// the dtype of <paramref name="input"/>. <c>var (capsules, activations) = layer.Route(...)</c> takes the first two.
    /// </returns>
    /// <exception cref="ArgumentException">A shape, dtype or device does not fit.</exception>
    /// <exception cref="NotSupportedException">The routing has no use for an argument that was given.</exception>
    public RoutingResult Route(
        Tensor input, Tensor? activations = null, Tensor? mask = null, bool coupling = false, Tensor? initialLogits = null)
    {
        Check(input);
        if (initialLogits is not null)
        {
            Capsules.Routing.CheckLogits(
                nameof(CapsuleLayer), initialLogits, nameof(initialLogits), input.size(0), InCapsules, OutCapsules);
            ShapeGuard.Like(nameof(CapsuleLayer), initialLogits, nameof(initialLogits), weight, nameof(weight));
        }

        _transform.CheckMask(input, mask, "B, N");
        using var scope = NewDisposeScope();
        activations = _transform.Activations(routing, input, activations, mask, "B, N");
        var prior = logits is not null && initialLogits is not null ? Arithmetic.Plus(logits, initialLogits) : logits ?? initialLogits;
        var result = routing.Route(_transform.Votes(input, weight, mask), bias, prior, activations, coupling);
        return CapsuleTransform.As(result, input.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>One pass of a routing that runs pass by pass: for <see cref="Functional.route_concurrently"/>.</summary>
    /// <param name="input">Capsules (B, N, D).</param>
    /// <param name="outputs">This layer's output capsules (B, J, E) of the pass before; null (default) in the first pass.</param>
    /// <returns>Capsules (B, J, E).</returns>
    /// <exception cref="ArgumentException">A shape, dtype or device does not fit.</exception>
    /// <exception cref="NotSupportedException">The routing does not run pass by pass.</exception>
    public Tensor Update(Tensor input, Tensor? outputs = null)
    {
        Check(input);
        using var scope = NewDisposeScope();
        return routing.Update(_transform.Votes(input, weight, null), outputs).to_type(input.dtype).MoveToOuterDisposeScope();
    }

    private void Check(Tensor input)
    {
        ShapeGuard.Shape(nameof(CapsuleLayer), input, nameof(input), "B, N, D", [ShapeGuard.Any, InCapsules, InDim],
            shape => shape switch
            {
                [_, var n, var d] when n == InDim && d == InCapsules => "Did you mean input.transpose(1, 2)?",
                [var n, var d] when n == InCapsules && d == InDim => "Did you mean input.unsqueeze(0), for one sample?",
                [_, var t, var h, var w, var d] when t * h * w == InCapsules && d == InDim =>
                    "Did you mean input.flatten(1, 3), for capsules on a grid?",
                [_, var n, var d] when d == InDim =>
                    $"For these capsules, make the layer with inCapsules: {n}; PrimaryCapsule.OutputShape gives the number.",
                _ => null,
            });
        ShapeGuard.Like(nameof(CapsuleLayer), input, nameof(input), weight, nameof(weight));
    }

    // With N inputs of length l, uniform coupling and weights of standard deviation sigma, an output's input has the length
    // |s| = sigma l sqrt(N E) / J on average; sigma = J / sqrt(N E) makes that l, whatever the sizes. On MNIST one, two and
    // three layers so drawn learn at the same pace. With 1.5 times this, stacked layers stay at chance: Adam's first step
    // takes the primary capsules to length 0.95, and layers above 1 saturate, where squash has no gradient.
    private void DrawWeight(Tensor tensor, Routing routing, Preset preset)
    {
        if (preset == Preset.OfficialCode)
        {
            Initialize.TruncatedNormal(tensor, 0.1);
        }
        else
        {
            _transform.Draw(tensor, routing, InCapsules, OutCapsules);
        }
    }
}
