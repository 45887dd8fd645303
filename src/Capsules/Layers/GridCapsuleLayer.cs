using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>What convolutional capsule layers share: capsules on a grid vote for capsules whose kernel covers them.</summary>
/// <remarks>
/// <para>Capsules are (B, T, H, W, D), or (B, T, L, D) in one dimension: T capsule types on a grid, entries last, in the order of
/// <see cref="PrimaryCapsule"/>, whose capsules (B, T * h * w, D) become a grid by <c>reshape(B, T, h, w, D)</c>.</para>
/// <para>Every output position is routed like a sample of its own, from the capsules of all types that its kernel covers; weights are
/// shared by all positions. Algorithms that let an input capsule distribute itself over all of its parents (EM, variational
/// Bayes) see those at other positions too. Where the kernel leaves the grid, capsules are absent, as if masked.</para>
/// <para>State dict: <c>weight</c> (kernel..., T, J, D, E), for matrix capsules (kernel..., T, J, P, P); <c>bias</c> (J, E) where there
/// is one; the routing's own parameters under <c>routing.</c>. Weights are drawn from a normal distribution: standard deviation
/// 1 / (c sqrt(N E)) for routings that sum votes, c being their initial coupling, mostly 1 / J, and N the capsules that an output
/// position sees, kernel * T, or kernel / stride * T where the layer is transposed; 1 / sqrt(E) for those that use activations; E is P
/// for matrices.</para>
/// </remarks>
#pragma warning disable CA1708      // fields named as their state-dict keys, beside properties; private ones of a base class TorchSharp does not find
public abstract class GridCapsuleLayer : nn.Module<Tensor, Tensor>
#pragma warning restore CA1708
{
    private protected Parameter weight;

    private protected Parameter? bias;

    private protected Routing routing;

    private readonly CapsuleTransform _transform;
    private readonly KernelGrid _grid;
    private readonly string _axes;

    private protected GridCapsuleLayer(
        string name, string axes, long inTypes, long inDim, long outTypes, long outDim, Routing routing, KernelGrid grid,
        CapsuleKind kind, bool bias, Device? device, ScalarType? dtype)
        : base(name)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(inTypes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(outTypes, 1);
        ArgumentNullException.ThrowIfNull(routing);
        ShapeGuard.ParameterDtype(name, dtype);
        (_transform, _grid, _axes) = (new CapsuleTransform(name, kind, inDim, outDim), grid, axes);
        _transform.CheckUse(routing, RoutingInputs.Bias, bias, nameof(bias));
        (InTypes, InDim, OutTypes, OutDim) = (inTypes, inDim, outTypes, outDim);
        weight = Initialize.Parameter([.. _grid.Kernel, inTypes, outTypes, .. _transform.MatrixShape], device, dtype,
            w => _transform.Draw(w, routing, _grid.Reach * inTypes, outTypes));
        this.bias = bias ? Initialize.Parameter([outTypes, outDim], device, dtype, b => nn.init.zeros_(b)) : null;
        this.routing = routing;
        RegisterComponents();
        if (device is not null)
        {
            (_deviceType, _deviceIndex) = (device.type, device.index);
        }
    }

    /// <summary>T, the input capsule types.</summary>
    public long InTypes { get; }

    /// <summary>D, their dimension.</summary>
    public long InDim { get; }

    /// <summary>J, the output capsule types.</summary>
    public long OutTypes { get; }

    /// <summary>E, their dimension.</summary>
    public long OutDim { get; }

    /// <summary>The transformation matrices, (kernel..., T, J, D, E), or (kernel..., T, J, P, P).</summary>
    public Parameter Weight => weight;

    /// <summary>The bias (J, E), or null.</summary>
    public Parameter? Bias => bias;

    /// <summary>The routing.</summary>
    public Routing Routing => routing;

    /// <summary>Whether the capsules are vectors or pose matrices.</summary>
    public CapsuleKind Kind => _transform.Kind;

    /// <summary>The kernel's size, one number an axis.</summary>
    public IReadOnlyList<long> KernelSize => _grid.Kernel;

    /// <summary>The stride, one number an axis.</summary>
    public IReadOnlyList<long> Stride => _grid.Stride;

    /// <summary>Absent capsules on every side, or what is cut off there where the layer is transposed; one number an axis.</summary>
    public IReadOnlyList<long> Padding => _grid.Padding;

    /// <summary>The distance between kernel elements, one number an axis.</summary>
    public IReadOnlyList<long> Dilation => _grid.Dilation;

    /// <summary>Turns capsules on a grid into capsules on the output's grid.</summary>
    /// <param name="input">Capsules (B, T, H, W, D), or (B, T, L, D), of the dtype and on the device of the weight.</param>
    /// <returns>Capsules (B, J, H', W', E), or (B, J, L', E); for their activations call <see cref="Route"/>.</returns>
    /// <exception cref="ArgumentException">A shape, dtype or device does not fit, or the grid is smaller than the kernel.</exception>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return Route(input).Capsules.MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Turns capsules on a grid into capsules on the output's grid, with more said and more given back than <see cref="forward"/>.
    /// </summary>
    /// <param name="input">Capsules (B, T, H, W, D), or (B, T, L, D), of the dtype and on the device of the weight.</param>
    /// <param name="activations">
    /// Activations (B, T, H, W) of the input capsules, for routings that use them. Default: the lengths of vector capsules; matrix
    /// capsules need them.
    /// </param>
    /// <param name="mask">Which input capsules are there: Bool (B, T, H, W). Default: all.</param>
    /// <param name="coupling">Whether the coupling coefficients are wanted. Default: false.</param>
    /// <returns>
    /// Capsules (B, J, H', W', E), activations (B, J, H', W') where the routing gives them, and coupling coefficients (B, H', W', N, J)
    /// when asked for, N running over the kernel's positions and, within, the input types. In the dtype of <paramref name="input"/>.
    /// </returns>
    /// <exception cref="ArgumentException">A shape, dtype or device does not fit, or the grid is smaller than the kernel.</exception>
    /// <exception cref="NotSupportedException">The routing has no use for an argument that was given.</exception>
    public RoutingResult Route(Tensor input, Tensor? activations = null, Tensor? mask = null, bool coupling = false)
    {
        Check(input);
        using var scope = NewDisposeScope();
        _transform.CheckMask(input, mask, $"B, T, {_axes}");
        activations = _transform.Activations(routing, input, activations, mask, $"B, T, {_axes}");
        var map = _grid.Map(Grid(input));
        var seen = activations is null ? null : Windows(activations.unsqueeze(-1), map).squeeze(-1);
        var result = routing.Route(Votes(input, mask, map), bias, activations: seen, coupling: coupling);
        result = CapsuleTransform.As(result, input.dtype);
        return new RoutingResult(OnGrid(result.Capsules, map), result.Activations is { } a ? OnGrid(a, map) : null,
            result.Coupling?.reshape([input.size(0), .. map.Output, map.Offsets * InTypes, OutTypes])).MoveToOuterDisposeScope();
    }

    /// <summary>One pass of a routing that runs pass by pass: for <see cref="Functional.route_concurrently"/>.</summary>
    /// <param name="input">Capsules (B, T, H, W, D), or (B, T, L, D).</param>
    /// <param name="outputs">This layer's output capsules of the pass before; null (default) in the first pass.</param>
    /// <returns>Capsules (B, J, H', W', E), or (B, J, L', E).</returns>
    /// <exception cref="ArgumentException">A shape, dtype or device does not fit, or the grid is smaller than the kernel.</exception>
    /// <exception cref="NotSupportedException">The routing does not run pass by pass.</exception>
    public Tensor Update(Tensor input, Tensor? outputs = null)
    {
        Check(input);
        using var scope = NewDisposeScope();
        var map = _grid.Map(Grid(input));
        if (outputs is not null)
        {
            long[] expected = [input.size(0), OutTypes, .. map.Output, OutDim];
            ShapeGuard.Shape(GetName(), outputs, nameof(outputs), $"B, J, {_axes}, E", expected, like: input);
            outputs = outputs.flatten(2, -2).transpose(1, 2).reshape(-1, OutTypes, OutDim);      // (B, J, L, E) -> (B * L, J, E)
        }

        return OnGrid(routing.Update(Votes(input, null, map), outputs).to_type(input.dtype), map).MoveToOuterDisposeScope();
    }

    /// <summary>The output's grid for an input's.</summary>
    private protected long[] OutputGrid(params long[] input) => _grid.OutputSize(input);

    private static long[] Grid(Tensor input) => input.shape[2..^1];

    private void Check(Tensor input)
    {
        long[] any = [.. _grid.Kernel.Select(_ => ShapeGuard.Any)];
        ShapeGuard.Shape(GetName(), input, nameof(input), $"B, T, {_axes}, D", [ShapeGuard.Any, InTypes, .. any, InDim],
            shape => shape.Length == 3 ? $"Capsules of a list become a grid by input.reshape(B, {InTypes}, {_axes}, {InDim})." : null);
        ShapeGuard.Like(GetName(), input, nameof(input), weight, nameof(weight));
    }

    private Votes Votes(Tensor input, Tensor? mask, KernelMap map)
    {
        var there = mask ?? (map.LeavesGrid ? ones(input.shape[..^1], ScalarType.Bool, input.device) : null);
        return _transform.Votes(
            Windows(input, map),
            weight.reshape([-1, OutTypes, .. _transform.MatrixShape]),
            there is null ? null : Windows(there.unsqueeze(-1), map).squeeze(-1),
            map.Positions == 1 ? null : map.Parents);
    }

    // What the kernel covers at each output position: (B, T, grid, F) to (B * L, K * T, F), zero off the grid.
    private static Tensor Windows(Tensor input, KernelMap map)
    {
        var (batch, types, entries) = (input.size(0), input.size(1), input.size(-1));
        var positions = input.reshape(batch, types, map.Inputs, entries).transpose(1, 2);      // (B, S, T, F)
        if (map.LeavesGrid)
        {
            positions = cat([positions, zeros([batch, 1, types, entries], input.dtype, input.device)], dim: 1);
        }

        return positions.index_select(1, tensor(map.InputOfEdge, device: input.device))
            .reshape(batch * map.Positions, map.Offsets * types, entries);
    }

    // (B * L, J, ...) to (B, J, grid, ...).
    private static Tensor OnGrid(Tensor x, KernelMap map) =>
        x.reshape([x.size(0) / map.Positions, map.Positions, .. x.shape[1..]]).transpose(1, 2)
            .reshape([x.size(0) / map.Positions, x.size(1), .. map.Output, .. x.shape[2..]]);
}
