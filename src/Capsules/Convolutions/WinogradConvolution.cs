using static TorchSharp.torch;

namespace Capsules;

/// <summary>A 2-D convolution by minimal filtering on the CPU: transforms in C#, products by libtorch.</summary>
/// <remarks>
/// <para>Input, filter and output are transformed into lanes, where element a of every tile is a matrix of its own:
/// V (n^2, R, K), U (n^2, K, O) and M = V U (n^2, R, O), with R = images * tiles and K = phases * channels. The gradients are
/// products of the same kind: dV = dM U^T, dU = V^T dM, between the transposed transforms.</para>
/// <para>Work is cut into pieces of images and of channels, whose products add up, so that M and V, much larger than images, are never
/// whole. A piece's matrices take the memory of the last piece's. U, which all images need, and its gradient, to which all add, are whole
/// where there are several pieces of images.</para>
/// <para>Where a kernel is no multiple of its stride, some phases have no part in the products at infinity (see
/// <see cref="WinogradAxis.LongPhases"/>): those products are summed over the others alone, 27 of 196 less for a 9 x 9 kernel with stride 2.</para>
/// <para>Input and weight may be bfloat16: a piece at a time is widened to float32, in which all is computed.</para>
/// </remarks>
internal sealed unsafe class WinogradConvolution : IDisposable
{
    /// <summary>
    /// Floats of V or U at a time: 12 MB forward, and 6 MB backward, where memory is at its peak. Twice as much is a few percent faster.
    /// </summary>
    private const long ForwardFloats = 3 << 20, BackwardFloats = 3 << 19;

    /// <summary>Floats of M at a time: 20 MB. It holds all channels, and is read once for each piece of them.</summary>
    private const long ProductFloats = 5 << 20;

    private readonly WinogradAxis _rows, _columns;
    private readonly int _batch, _channels, _outChannels;

    /// <summary>
    /// Products that sum over the same phases, which are next to each other in V, U and M: up to four groups, as an axis's product is
    /// at infinity or not.
    /// </summary>
    private readonly List<(int First, int Count, int Phases)> _groups = [];

    /// <summary>The place of the product of row a and column b (a, b).</summary>
    private readonly int[,] _places;

    /// <param name="input">The shape of the input (B, C, H, W).</param>
    /// <param name="weight">The shape of the weight (O, C, kh, kw).</param>
    /// <param name="stride">(height, width).</param>
    /// <param name="padding">(height, width).</param>
    public WinogradConvolution(long[] input, long[] weight, (long H, long W) stride, (long H, long W) padding)
    {
        _rows = new WinogradAxis(input[2], weight[2], stride.H, padding.H);
        _columns = new WinogradAxis(input[3], weight[3], stride.W, padding.W);
        (_batch, _channels, _outChannels) = ((int)input[0], (int)input[1], (int)weight[0]);
        _places = new int[_rows.Products, _columns.Products];
        var place = 0;
        foreach (var group in from row in Enumerable.Range(0, _rows.Products)
                              from column in Enumerable.Range(0, _columns.Products)
                              group (row, column) by (Rows: _rows.PhasesOf(row), Columns: _columns.PhasesOf(column)))
        {
            _groups.Add((place, group.Count(), group.Key.Rows * group.Key.Columns));
            foreach (var (row, column) in group)
            {
                _places[row, column] = place++;
            }
        }
    }

    private int Products => _rows.Products * _columns.Products;

    private int Tiles => _rows.Tiles * _columns.Tiles;

    private int Phases => _rows.Phases * _columns.Phases;

    /// <summary>The output (B, O, h, w) in float32, without bias. Both tensors are contiguous, float32 or bfloat16.</summary>
    public Tensor Forward(Tensor input, Tensor weight)
    {
        using var scope = NewDisposeScope();
        var images = ImagesAtATime(wholeFilters: 1);
        var channels = ChannelsAtATime(images, ForwardFloats);
        var memory = new Memory(this, images, channels);
        var output = LargeBlocks.Empty([_batch, _outChannels, _rows.OutSize, _columns.OutSize], ScalarType.Float32);
        foreach (var (image, imageCount) in Pieces(_batch, images))
        {
            var sum = memory.M(imageCount);
            foreach (var (channel, count) in Pieces(_channels, channels))
            {
                using var inner = NewDisposeScope();
                var (v, u) = (memory.V(imageCount, count), FilterLanes(memory, weight, image, channel, count));
                TransferInput(Wide(Part(input.narrow(0, image, imageCount), channel, count)), v, toLanes: true);
                foreach (var group in Groups(v, u, sum, count))
                {
                    BatchProduct.Store(group.M, group.V, group.U, add: channel > 0);
                }
            }

            TransferOutput(output.narrow(0, image, imageCount), sum, toLanes: false);
        }

        return output.MoveToOuterDisposeScope();
    }

    /// <summary>The gradients of input and weight in their dtypes, each where wanted. All tensors are contiguous, upstream float32.</summary>
    public (Tensor? Input, Tensor? Weight) Backward(Tensor input, Tensor weight, Tensor upstream, bool wantsInput, bool wantsWeight)
    {
        using var scope = NewDisposeScope();
        var images = ImagesAtATime(wholeFilters: 2);
        var channels = ChannelsAtATime(images, BackwardFloats);
        var memory = new Memory(this, images, channels);
        var inputGradient = wantsInput ? LargeBlocks.Empty(input.shape, input.dtype) : null;
        var weightGradient = wantsWeight ? LargeBlocks.Empty(weight.shape, weight.dtype) : null;
        foreach (var (image, imageCount) in Pieces(_batch, images))
        {
            var product = memory.M(imageCount);
            TransferOutput(upstream.narrow(0, image, imageCount), product, toLanes: true);
            foreach (var (channel, count) in Pieces(_channels, channels))
            {
                using var inner = NewDisposeScope();
                var v = memory.V(imageCount, count);
                if (inputGradient is not null)
                {
                    var u = FilterLanes(memory, weight, image, channel, count);
                    foreach (var group in Groups(v, u, product, count))
                    {
                        BatchProduct.Store(group.V, group.M, group.U.transpose(1, 2), add: false);
                    }

                    StorePart(inputGradient.narrow(0, image, imageCount), channel, count, planes => TransferInput(planes, v, toLanes: false));
                }

                if (weightGradient is not null)
                {
                    var u = memory.GradientOfU(channel, count);
                    TransferInput(Wide(Part(input.narrow(0, image, imageCount), channel, count)), v, toLanes: true);
                    foreach (var group in Groups(v, u, product, count))
                    {
                        BatchProduct.Store(group.U, group.V.transpose(1, 2), group.M, add: image > 0);
                    }

                    if (image + imageCount == _batch)
                    {
                        StorePart(weightGradient, channel, count, planes => TransferFilter(planes, u, toLanes: false));
                    }
                }
            }
        }

        return (inputGradient?.MoveToOuterDisposeScope(), weightGradient?.MoveToOuterDisposeScope());
    }

    public void Dispose()
    {
        _rows.Dispose();
        _columns.Dispose();
    }

    // All of them, unless M is then larger than one of its pieces together with what pieces of images keep whole: U, and backward its gradient.
    private int ImagesAtATime(int wholeFilters)
    {
        var (image, filter) = ((long)Products * Tiles * _outChannels, (long)Products * Phases * _channels * _outChannels);
        return _batch * image <= ProductFloats + wholeFilters * filter ? _batch : Even(_batch, ProductFloats / image);
    }

    // Channels in a piece: whole groups of lanes, unless there are fewer.
    private int ChannelsAtATime(int images, long most)
    {
        var floats = (long)Products * Phases * Math.Max((long)images * Tiles, _outChannels);
        var groups = Math.Max(most / floats / LaneTransform.Lanes, 1);
        return (int)Math.Min(groups * LaneTransform.Lanes, _channels);
    }

    // U of so many channels from one on: made with the first images, and kept for those after.
    private Tensor FilterLanes(Memory memory, Tensor weight, int image, int channel, int count)
    {
        var u = memory.U(channel, count);
        if (image == 0)
        {
            TransferFilter(Wide(Part(weight, channel, count)), u, toLanes: true);
        }

        return u;
    }

    private static Tensor Part(Tensor planes, int channel, int channels) => planes.narrow(1, channel, channels);

    private static Tensor Wide(Tensor planes) => planes.to_type(ScalarType.Float32);

    // Fills some channels of a gradient, which may be bfloat16, with float32 planes.
    private static void StorePart(Tensor gradient, int channel, int channels, Action<Tensor> fill)
    {
        var part = Part(gradient, channel, channels);
        var planes = gradient.dtype == ScalarType.Float32 ? part : empty(part.shape, ScalarType.Float32);
        fill(planes);
        if (!ReferenceEquals(planes, part))
        {
            part.copy_(planes);
        }
    }

    // Each group's matrices, of the phases that it has.
    private IEnumerable<(Tensor V, Tensor U, Tensor M)> Groups(Tensor v, Tensor u, Tensor m, int channels) => _groups.Select(group => (
        v.narrow(0, group.First, group.Count).narrow(2, 0, group.Phases * channels),
        u.narrow(0, group.First, group.Count).narrow(1, 0, group.Phases * channels),
        m.narrow(0, group.First, group.Count)));

    // Planes (images, channels, H, W).
    private void TransferInput(Tensor planes, Tensor lanes, bool toLanes)
    {
        var (channels, width, matrix) = (planes.size(1), lanes.size(2), lanes.size(1) * lanes.size(2));
        var offsets = Offsets(_rows.Input.Rows.Count, _columns.Input.Rows.Count, (p, q) =>
        {
            var (phaseRow, tileRow, row) = _rows.InputRows[p];
            var (phaseColumn, tileColumn, column) = _columns.InputRows[q];
            return _places[row, column] * matrix + (tileRow * _columns.Tiles + tileColumn) * width
                + (phaseRow * _columns.PhasesOf(column) + phaseColumn) * channels;
        });
        Transfer(_rows.Input, _columns.Input, offsets, planes, lanes, itemDimension: 0, laneItemStride: Tiles * width, toLanes);
    }

    // Planes (O, channels, kh, kw).
    private void TransferFilter(Tensor planes, Tensor lanes, bool toLanes)
    {
        var (channels, matrix) = (planes.size(1), lanes.size(1) * lanes.size(2));
        var offsets = Offsets(_rows.Filter.Rows.Count, _columns.Filter.Rows.Count, (p, q) =>
        {
            var (phaseRow, row) = _rows.FilterRows[p];
            var (phaseColumn, column) = _columns.FilterRows[q];
            return _places[row, column] * matrix + (phaseRow * _columns.PhasesOf(column) + phaseColumn) * channels * _outChannels;
        });
        Transfer(_rows.Filter, _columns.Filter, offsets, planes, lanes, itemDimension: 1, laneItemStride: _outChannels, toLanes);
    }

    // Planes (images, O, h, w).
    private void TransferOutput(Tensor planes, Tensor lanes, bool toLanes)
    {
        var matrix = lanes.size(1) * _outChannels;
        var offsets = Offsets(_rows.Output.Rows.Count, _columns.Output.Rows.Count, (p, q) =>
        {
            var (tileRow, row) = (p / _rows.Products, p % _rows.Products);
            var (tileColumn, column) = (q / _columns.Products, q % _columns.Products);
            return _places[row, column] * matrix + ((long)tileRow * _columns.Tiles + tileColumn) * _outChannels;
        });
        Transfer(_rows.Output, _columns.Output, offsets, planes, lanes, itemDimension: 0, laneItemStride: (long)Tiles * _outChannels, toLanes);
    }

    // Of the planes' first two dimensions one is the items', the other one's neighbours are neighbours in a lane.
    private static void Transfer(
        LinearMap rows, LinearMap columns, long[] offsets, Tensor planes, Tensor lanes, int itemDimension, long laneItemStride, bool toLanes)
    {
        fixed (long* table = offsets)
        {
            var transfer = new LaneTransfer
            {
                Transform = LaneTransform.Of(rows, columns, table),
                Items = (int)planes.size(itemDimension),
                Width = (int)planes.size(1 - itemDimension),
                Planes = TensorMemory.Floats(planes),
                PlaneStride = planes.stride(1 - itemDimension),
                PlaneItemStride = planes.stride(itemDimension),
                Lanes = TensorMemory.Floats(lanes),
                LaneItemStride = laneItemStride,
            };
            if (toLanes)
            {
                LaneTransfer.ToLanes(transfer);
            }
            else
            {
                LaneTransfer.ToPlanes(transfer);
            }
        }

        GC.KeepAlive(planes);
        GC.KeepAlive(lanes);
    }

    private static long[] Offsets(int rows, int columns, Func<int, int, long> at)
    {
        var offsets = new long[rows * columns];
        for (var p = 0; p < rows; p++)
        {
            for (var q = 0; q < columns; q++)
            {
                offsets[p * columns + q] = at(p, q);
            }
        }

        return offsets;
    }

    // At most so many at a time, in pieces of about the same size.
    private static int Even(int all, long most)
    {
        var pieces = (all + Math.Max(most, 1) - 1) / Math.Max(most, 1);
        return (int)((all + pieces - 1) / pieces);
    }

    private static IEnumerable<(int First, int Count)> Pieces(int all, int atATime)
    {
        for (var first = 0; first < all; first += atATime)
        {
            yield return (first, Math.Min(atATime, all - first));
        }
    }

    // What one piece's matrices take, and the next one's again; of several pieces of images all share U and its gradient.
    private sealed class Memory(WinogradConvolution owner, int images, int channels)
    {
        private readonly Tensor
            _m = LargeBlocks.Empty([owner.Products, (long)images * owner.Tiles, owner._outChannels], ScalarType.Float32),
            _v = LargeBlocks.Empty([owner.Products, (long)images * owner.Tiles, (long)owner.Phases * channels], ScalarType.Float32);

        private readonly bool _isShared = images < owner._batch;
        private readonly Dictionary<int, Tensor> _u = [], _gradients = [];

        public Tensor M(int images) => First(_m, (long)images * owner.Tiles, owner._outChannels);

        public Tensor V(int images, int channels) => First(_v, (long)images * owner.Tiles, (long)owner.Phases * channels);

        /// <summary>U of so many channels from one on.</summary>
        public Tensor U(int channel, int count) => Filter(_u, channel, count);

        /// <summary>Its gradient, which takes U's own memory where the next piece does not need it.</summary>
        public Tensor GradientOfU(int channel, int count) => Filter(_isShared ? _gradients : _u, channel, count);

        private Tensor Filter(Dictionary<int, Tensor> pieces, int channel, int count)
        {
            var piece = _isShared ? channel : 0;
            if (!pieces.TryGetValue(piece, out var memory))
            {
                memory = LargeBlocks.Empty([owner.Products, (long)owner.Phases * channels, owner._outChannels], ScalarType.Float32);
                pieces[piece] = memory.MoveToOuterDisposeScope();
            }

            return First(memory, (long)owner.Phases * count, owner._outChannels);
        }

        private static Tensor First(Tensor memory, long rows, long columns) =>
            memory.view(-1).narrow(0, 0, memory.size(0) * rows * columns).view(memory.size(0), rows, columns);
    }
}
