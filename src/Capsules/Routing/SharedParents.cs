using static TorchSharp.torch;

namespace Capsules;

/// <summary>
/// Who competes for whom in a convolutional layer. Each of L output positions is routed as a sample of its own, from the K input
/// positions that its kernel covers; an input position therefore appears under several output positions, at most M.
/// </summary>
/// <remarks>
/// A pair of output position l and kernel offset k is an edge, number l * K + k. An input capsule's softmax runs over the J output
/// capsule types on all of its position's edges. Gathering them, (positions, M) with gaps, makes that a plain softmax: exact and
/// stable, which sums over scattered exponentials are not.
/// </remarks>
internal sealed class SharedParents
{
    // A gap's logit: its exponential is 0 beside any other, and no infinity turns the gradient into NaN.
    private const double Gap = -1e30;

    private readonly long _edges, _offsets, _inputs, _slots;
    private readonly long[] _edgeOfSlot, _slotOfEdge;

    /// <param name="inputOfEdge">For every edge the input position, or <paramref name="inputs"/> where the kernel leaves the grid.</param>
    /// <param name="inputs">The number of input positions.</param>
    /// <param name="offsets">K, the kernel offsets.</param>
    public SharedParents(long[] inputOfEdge, long inputs, long offsets)
    {
        var edgesOfInput = Enumerable.Range(0, inputOfEdge.Length).GroupBy(edge => inputOfEdge[edge])
            .ToDictionary(group => group.Key, group => group.ToArray());
        var most = edgesOfInput.Where(pair => pair.Key != inputs).Select(pair => pair.Value.Length).DefaultIfEmpty(1).Max();
        (_edges, _offsets, _inputs, _slots) = (inputOfEdge.Length, offsets, inputs, inputs * most);
        _edgeOfSlot = [.. Enumerable.Repeat(_edges, (int)_slots)];
        _slotOfEdge = [.. Enumerable.Repeat(_slots, (int)_edges)];
        foreach (var (input, edges) in edgesOfInput.Where(pair => pair.Key != inputs))
        {
            for (var i = 0; i < edges.Length; i++)
            {
                _edgeOfSlot[input * most + i] = edges[i];
                _slotOfEdge[edges[i]] = input * most + i;
            }
        }

        Most = most;
    }

    /// <summary>M, the most output positions that see one input position.</summary>
    public long Most { get; }

    /// <summary>
    /// The softmax over all parents of every child. Logits (B * L, K * T, J), offset major, to coefficients of that shape; 0 on edges
    /// that leave the grid.
    /// </summary>
    public Tensor Softmax(Tensor logits)
    {
        using var scope = NewDisposeScope();
        var (positions, outputs) = (_edges / _offsets, logits.size(2));
        var (batch, types) = (logits.size(0) / positions, logits.size(1) / _offsets);
        var edges = logits.reshape(batch, positions, _offsets, types, outputs).permute(0, 3, 4, 1, 2)
            .reshape(batch, types, outputs, _edges);
        var slots = WithColumn(edges, Gap).index_select(-1, tensor(_edgeOfSlot, device: logits.device));
        slots = slots.reshape(batch, types, outputs, _inputs, Most).transpose(2, 3);
        var parents = slots.reshape(batch, types, _inputs, outputs * Most);
        var shares = nn.functional.softmax(parents, dim: -1);
        slots = shares.reshape(batch, types, _inputs, outputs, Most).transpose(2, 3).reshape(batch, types, outputs, _slots);
        edges = WithColumn(slots, 0).index_select(-1, tensor(_slotOfEdge, device: logits.device));
        return edges.reshape(batch, types, outputs, positions, _offsets).permute(0, 3, 4, 1, 2).reshape(logits.shape)
            .MoveToOuterDisposeScope();
    }

    private static Tensor WithColumn(Tensor x, double value) =>
        cat([x, Arithmetic.Filled([.. x.shape[..^1], 1], value, x.dtype, x.device)], dim: -1);
}
