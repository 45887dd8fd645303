namespace Capsules;

/// <summary>One axis of a convolution, height or width, and its minimal filtering.</summary>
/// <remarks>
/// A stride s makes s phases: y[o] = sum over phases p and taps j of w[p + s j] x[s (o + j) + p - padding], each phase a filter of
/// ceil(k / s) taps at stride 1. Outputs are cut into tiles of m; padding and what tiles reach beyond the ends are zero rows
/// of the maps and cost nothing.
/// </remarks>
internal sealed class WinogradAxis : IDisposable
{
    /// <param name="size">The input's size.</param>
    /// <param name="kernel">The kernel's.</param>
    /// <param name="stride">At least 1.</param>
    /// <param name="padding">Zeros on either side.</param>
    /// <exception cref="ArgumentException">There is no output, or <see cref="IsPossible"/> does not hold.</exception>
    public WinogradAxis(long size, long kernel, long stride, long padding)
    {
        if (!IsPossible(kernel, stride) || size + 2 * padding < kernel)
        {
            throw new ArgumentException($"There is no minimal filtering for a kernel of {kernel} with stride {stride} on {size} pixels.");
        }

        (Size, Phases, OutSize) = ((int)size, (int)stride, (int)((size + 2 * padding - kernel) / stride + 1));
        var taps = Taps(kernel, stride);
        var outputs = TileSize(OutSize, kernel, stride);
        Tiles = Ceiling(OutSize, outputs);
        var filtering = new ToomCook(outputs, taps);
        Products = filtering.Products;
        LongPhases = Long(kernel, stride);
        InputRows = [.. from phase in Enumerable.Range(0, Phases)
                        from tile in Enumerable.Range(0, Tiles)
                        from product in Enumerable.Range(0, ProductsOf(phase))
                        select (phase, tile, product)];
        FilterRows = [.. from phase in Enumerable.Range(0, Phases) from product in Enumerable.Range(0, ProductsOf(phase)) select (phase, product)];
        Input = new LinearMap(InputRows.Count, Size, row =>
            // Pixel s (m t + l) + p - padding is the tile's input l.
            from l in Enumerable.Range(0, Products)
            let pixel = stride * (outputs * (long)InputRows[row].Tile + l) + InputRows[row].Phase - padding
            where pixel >= 0 && pixel < Size
            select ((int)pixel, filtering.Input[InputRows[row].Product, l]));
        Filter = new LinearMap(FilterRows.Count, (int)kernel, row =>
            from j in Enumerable.Range(0, taps)
            let tap = FilterRows[row].Phase + Phases * j
            where tap < kernel
            select (tap, filtering.Filter[FilterRows[row].Product, j]));
        Output = new LinearMap(Tiles * Products, OutSize, row =>
            from i in Enumerable.Range(0, outputs)
            let pixel = row / Products * outputs + i
            where pixel < OutSize
            select (pixel, filtering.Output[row % Products, i]));
    }

    /// <summary>The input's size.</summary>
    public int Size { get; }

    /// <summary>The output's size.</summary>
    public int OutSize { get; }

    /// <summary>s, the phases.</summary>
    public int Phases { get; }

    /// <summary>Tiles of outputs.</summary>
    public int Tiles { get; }

    /// <summary>n, products of a tile.</summary>
    public int Products { get; }

    /// <summary>
    /// The first phases, whose filters have all ceil(k / s) taps. The others lack the last tap, which alone makes the last product,
    /// that at infinity: they have none there.
    /// </summary>
    public int LongPhases { get; }

    /// <summary>What the rows of <see cref="Input"/> are.</summary>
    public IReadOnlyList<(int Phase, int Tile, int Product)> InputRows { get; }

    /// <summary>What the rows of <see cref="Filter"/> are.</summary>
    public IReadOnlyList<(int Phase, int Product)> FilterRows { get; }

    /// <summary>From the input's pixels.</summary>
    public LinearMap Input { get; }

    /// <summary>From the kernel's taps.</summary>
    public LinearMap Filter { get; }

    /// <summary>Transposed: (tiles * n, output size).</summary>
    public LinearMap Output { get; }

    /// <summary>The longest filter of a phase: a tile of two outputs needs one product more.</summary>
    public static int MostTaps => MostProducts - 1;

    /// <summary>Whether there are points enough for the filter of a phase.</summary>
    public static bool IsPossible(long kernel, long stride) => stride <= kernel && Taps(kernel, stride) <= MostTaps;

    /// <summary>Along one axis: products of the minimal filtering per product of the direct convolution, and tiles.</summary>
    public static (double Share, long Tiles) Saving(long outSize, long kernel, long stride)
    {
        var outputs = TileSize(outSize, kernel, stride);
        var tiles = Ceiling(outSize, outputs);
        return ((double)tiles * ProductsOf(outputs, kernel, stride) / (outSize * kernel), tiles);
    }

    /// <summary>The phases that a product sums over: the first so many.</summary>
    public int PhasesOf(int product) => product == Products - 1 ? LongPhases : Phases;

    public void Dispose()
    {
        Input.Dispose();
        Filter.Dispose();
        Output.Dispose();
    }

    // Beyond 7 products float32 loses more than two digits.
    private const int MostProducts = 7;

    private static int Taps(long kernel, long stride) => Ceiling(kernel, stride);

    private static int Long(long kernel, long stride) => (int)((kernel - 1) % stride + 1);

    // Of one tile in all phases.
    private static long ProductsOf(int outputs, long kernel, long stride) =>
        stride * (outputs + Taps(kernel, stride) - 1) - (stride - Long(kernel, stride));

    // The tile with the fewest products for all outputs; the smaller of two that are even.
    private static int TileSize(long outSize, long kernel, long stride) => Enumerable.Range(1, MostProducts - Taps(kernel, stride) + 1)
        .MinBy(outputs => Ceiling(outSize, outputs) * ProductsOf(outputs, kernel, stride));

    private static int Ceiling(long a, long b) => (int)((a + b - 1) / b);

    private int ProductsOf(int phase) => phase < LongPhases ? Products : Products - 1;
}
