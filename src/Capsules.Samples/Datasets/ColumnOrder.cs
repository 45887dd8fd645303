namespace Capsules.Samples;

/// <summary>Images that are stored column by column, as MATLAB stores matrices.</summary>
internal static class ColumnOrder
{
    /// <summary>The same images row by row.</summary>
    /// <param name="stored">Any number of planes of <paramref name="size"/> x <paramref name="size"/> values.</param>
    /// <param name="size">Pixels a side.</param>
    public static byte[] ToRows(byte[] stored, int size)
    {
        var pixels = new byte[stored.Length];
        var plane = size * size;
        for (var i = 0; i < pixels.Length; i++)
        {
            var (row, column) = (i % plane / size, i % size);
            pixels[i] = stored[i / plane * plane + column * size + row];
        }

        return pixels;
    }
}
