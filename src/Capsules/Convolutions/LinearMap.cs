using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>A small sparse matrix and its transpose.</summary>
internal sealed unsafe class LinearMap : IDisposable
{
    private void* _memory;

    /// <param name="rows">Its rows.</param>
    /// <param name="columns">Its columns.</param>
    /// <param name="entriesOf">The entries of a row: their columns, which are those that exist and each at most once, and values.</param>
    public LinearMap(int rows, int columns, Func<int, IEnumerable<(int Column, double Value)>> entriesOf)
    {
        var entries = (from row in Enumerable.Range(0, rows)
                       from entry in entriesOf(row)
                       where entry.Value != 0
                       select (Row: row, entry.Column, Value: (float)entry.Value)).ToList();
        _memory = NativeMemory.Alloc((nuint)(rows + columns + 2 + 4 * entries.Count), sizeof(int));
        var free = (int*)_memory;
        Rows = Fill(ref free, rows, entries);
        Transposed = Fill(ref free, columns, [.. entries.Select(e => (Row: e.Column, Column: e.Row, e.Value)).OrderBy(e => e.Row)]);
    }

    ~LinearMap() => Free();

    /// <summary>The matrix.</summary>
    public SparseRows Rows { get; }

    /// <summary>Its transpose.</summary>
    public SparseRows Transposed { get; }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private static SparseRows Fill(ref int* free, int rows, List<(int Row, int Column, float Value)> entries)
    {
        var result = new SparseRows { Count = rows, Starts = free, Indices = free + rows + 1, Factors = (float*)(free + rows + 1 + entries.Count) };
        free += rows + 1 + 2 * entries.Count;
        for (var (row, next) = (0, 0); row <= rows; row++)
        {
            while (next < entries.Count && entries[next].Row < row)
            {
                next++;
            }

            result.Starts[row] = next;
        }

        for (var k = 0; k < entries.Count; k++)
        {
            (result.Indices[k], result.Factors[k]) = (entries[k].Column, entries[k].Value);
        }

        return result;
    }

    private void Free()
    {
        NativeMemory.Free(_memory);
        _memory = null;
    }
}
