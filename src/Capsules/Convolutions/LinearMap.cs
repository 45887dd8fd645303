using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>A small sparse matrix, row by row, in memory that kernels read by pointer.</summary>
internal sealed unsafe class LinearMap : IDisposable
{
    /// <param name="rows">Its rows.</param>
    /// <param name="columns">Its columns.</param>
    /// <param name="entry">Its entry at (row, column).</param>
    public LinearMap(int rows, int columns, Func<int, int, double> entry)
    {
        (Rows, Columns) = (rows, columns);
        Starts = (int*)NativeMemory.Alloc((nuint)rows + 1, sizeof(int));
        Indices = (int*)NativeMemory.Alloc((nuint)(rows * columns), sizeof(int));
        Factors = (float*)NativeMemory.Alloc((nuint)(rows * columns), sizeof(float));
        var next = 0;
        for (var row = 0; row < rows; row++)
        {
            Starts[row] = next;
            for (var column = 0; column < columns; column++)
            {
                var value = (float)entry(row, column);
                if (value != 0)
                {
                    (Indices[next], Factors[next]) = (column, value);
                    next++;
                }
            }
        }

        Starts[rows] = next;
    }

    ~LinearMap() => Free();

    public int Rows { get; }

    public int Columns { get; }

    /// <summary>Where each row's entries start; one more than rows.</summary>
    public int* Starts { get; private set; }

    /// <summary>The entries' columns.</summary>
    public int* Indices { get; private set; }

    /// <summary>The entries' values.</summary>
    public float* Factors { get; private set; }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.Free(Starts);
        NativeMemory.Free(Indices);
        NativeMemory.Free(Factors);
        Starts = Indices = null;
        Factors = null;
    }
}
