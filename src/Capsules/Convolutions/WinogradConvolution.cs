using static TorchSharp.torch;

namespace Capsules;

/// <summary>A 2-D convolution by minimal filtering, in float32 on the CPU: transforms in C#, products by libtorch.</summary>
/// <remarks>
/// <para>Input, filter and output are transformed into lanes, where element a of every tile is a matrix of its own:
/// V (n^2, R, K), U (n^2, K, O) and M = V U (n^2, R, O), with R = images * tiles and K = phases * channels. The gradients are
/// products of the same kind: dV = dM U^T, dU = V^T dM, between the transposed transforms.</para>
/// <para>Work is cut into pieces of images (forward) or channels (backward), so that V, much larger than the image, is never whole.</para>
/// </remarks>
internal sealed unsafe class WinogradConvolution : IDisposable
{
    /// <summary>Floats of V at a time: 12 MB. A larger piece is no faster.</summary>
    private const long PieceFloats = 3 << 20;

    private readonly WinogradAxis _rows, _columns;
    private readonly int _batch, _channels, _outChannels;
    private readonly long[] _weightShape;

    /// <param name="input">The shape of the input (B, C, H, W).</param>
    /// <param name="weight">The shape of the weight (O, C, kh, kw).</param>
    /// <param name="stride">(height, width).</param>
    /// <param name="padding">(height, width).</param>
    public WinogradConvolution(long[] input, long[] weight, (long H, long W) stride, (long H, long W) padding)
    {
        _rows = new WinogradAxis(input[2], weight[2], stride.H, padding.H);
        _columns = new WinogradAxis(input[3], weight[3], stride.W, padding.W);
        (_batch, _channels, _outChannels, _weightShape) = ((int)input[0], (int)input[1], (int)weight[0], weight);
    }

    private int Products => _rows.Products * _columns.Products;

    private int Tiles => _rows.Tiles * _columns.Tiles;

    private int Phases => _rows.Phases * _columns.Phases;

    private long InPlane => (long)_rows.Size * _columns.Size;

    private long OutPlane => (long)_rows.OutSize * _columns.OutSize;

    private long KernelPlane => _weightShape[2] * _weightShape[3];

    /// <summary>The output (B, O, h, w) without bias. Both tensors are contiguous float32.</summary>
    public Tensor Forward(Tensor input, Tensor weight)
    {
        using var scope = NewDisposeScope();
        var output = empty([_batch, _outChannels, _rows.OutSize, _columns.OutSize], ScalarType.Float32);
        var filter = Filter(weight, 0, _channels);
        var piece = (int)Math.Clamp(PieceFloats / ((long)Products * Tiles * Phases * _channels), 1, _batch);
        for (var image = 0; image < _batch; image += piece)
        {
            var images = Math.Min(piece, _batch - image);
            using var lanes = InputLanes(input, image, images, 0, _channels);
            using var product = lanes.bmm(filter);
            TransferOutput(output, product, image, images, toLanes: false);
        }

        GC.KeepAlive(input);
        GC.KeepAlive(weight);
        return output.MoveToOuterDisposeScope();
    }

    /// <summary>The gradients of input and weight, each where wanted. All tensors are contiguous float32.</summary>
    public (Tensor? Input, Tensor? Weight) Backward(Tensor input, Tensor weight, Tensor upstream, bool wantsInput, bool wantsWeight)
    {
        using var scope = NewDisposeScope();
        var inputGradient = wantsInput ? empty(input.shape, ScalarType.Float32) : null;
        var weightGradient = wantsWeight ? empty(_weightShape, ScalarType.Float32) : null;
        var product = empty([Products, (long)_batch * Tiles, _outChannels], ScalarType.Float32);
        TransferOutput(upstream, product, 0, _batch, toLanes: true);
        var piece = (int)Math.Clamp(PieceFloats / ((long)Products * Tiles * Phases * _batch), Math.Min(LaneTransform.Lanes, _channels), _channels);
        piece = Math.Max(piece / LaneTransform.Lanes * LaneTransform.Lanes, Math.Min(LaneTransform.Lanes, _channels));
        for (var channel = 0; channel < _channels; channel += piece)
        {
            var channels = Math.Min(piece, _channels - channel);
            if (inputGradient is not null)
            {
                using var inner = NewDisposeScope();
                var lanes = product.bmm(Filter(weight, channel, channels).transpose(1, 2));
                TransferInput(inputGradient, lanes, 0, _batch, channel, channels, toLanes: false);
            }

            if (weightGradient is not null)
            {
                using var inner = NewDisposeScope();
                var lanes = InputLanes(input, 0, _batch, channel, channels).transpose(1, 2).bmm(product);
                TransferFilter(weightGradient, lanes, channel, channels, toLanes: false);
            }
        }

        GC.KeepAlive(input);
        GC.KeepAlive(weight);
        GC.KeepAlive(upstream);
        return (inputGradient?.MoveToOuterDisposeScope(), weightGradient?.MoveToOuterDisposeScope());
    }

    public void Dispose()
    {
        _rows.Dispose();
        _columns.Dispose();
    }

    // V (n^2, images * tiles, phases * channels) of a piece of the input.
    private Tensor InputLanes(Tensor input, int image, int images, int channel, int channels)
    {
        var lanes = empty([Products, (long)images * Tiles, (long)Phases * channels], ScalarType.Float32);
        TransferInput(input, lanes, image, images, channel, channels, toLanes: true);
        return lanes;
    }

    // U (n^2, phases * channels, O) of some channels of the filter.
    private Tensor Filter(Tensor weight, int channel, int channels)
    {
        var lanes = empty([Products, (long)Phases * channels, _outChannels], ScalarType.Float32);
        TransferFilter(weight, lanes, channel, channels, toLanes: true);
        return lanes;
    }

    private void TransferInput(Tensor planes, Tensor lanes, int image, int images, int channel, int channels, bool toLanes)
    {
        var (width, matrix) = ((long)Phases * channels, (long)images * Tiles * Phases * channels);
        var offsets = Offsets(_rows.Input.Rows, _columns.Input.Rows, (p, q) =>
        {
            var (phaseRow, tileRow, row) = Split(p, _rows);
            var (phaseColumn, tileColumn, column) = Split(q, _columns);
            return (row * _columns.Products + column) * matrix + (tileRow * _columns.Tiles + tileColumn) * width
                + (phaseRow * _columns.Phases + phaseColumn) * channels;
        });
        fixed (long* table = offsets)
        {
            Transfer(new LaneTransfer
            {
                Transform = LaneTransform.Of(_rows.Input, _columns.Input, table),
                Items = images,
                Width = channels,
                Planes = TensorMemory.Floats(planes) + ((long)image * _channels + channel) * InPlane,
                PlaneStride = InPlane,
                PlaneItemStride = _channels * InPlane,
                Lanes = TensorMemory.Floats(lanes),
                LaneItemStride = Tiles * width,
            }, toLanes);
        }

        GC.KeepAlive(planes);
        GC.KeepAlive(lanes);
    }

    private void TransferFilter(Tensor planes, Tensor lanes, int channel, int channels, bool toLanes)
    {
        var offsets = Offsets(_rows.Filter.Rows, _columns.Filter.Rows, (p, q) =>
        {
            var (phaseRow, row) = (p / _rows.Products, p % _rows.Products);
            var (phaseColumn, column) = (q / _columns.Products, q % _columns.Products);
            return (((long)(row * _columns.Products + column) * Phases + phaseRow * _columns.Phases + phaseColumn) * channels) * _outChannels;
        });
        fixed (long* table = offsets)
        {
            Transfer(new LaneTransfer
            {
                Transform = LaneTransform.Of(_rows.Filter, _columns.Filter, table),
                Items = channels,
                Width = _outChannels,
                Planes = TensorMemory.Floats(planes) + channel * KernelPlane,
                PlaneStride = _channels * KernelPlane,
                PlaneItemStride = KernelPlane,
                Lanes = TensorMemory.Floats(lanes),
                LaneItemStride = _outChannels,
            }, toLanes);
        }

        GC.KeepAlive(planes);
        GC.KeepAlive(lanes);
    }

    private void TransferOutput(Tensor planes, Tensor lanes, int image, int images, bool toLanes)
    {
        var offsets = Offsets(_rows.Output.Rows, _columns.Output.Rows, (p, q) =>
        {
            var (tileRow, row) = (p / _rows.Products, p % _rows.Products);
            var (tileColumn, column) = (q / _columns.Products, q % _columns.Products);
            return ((long)(row * _columns.Products + column) * images * Tiles + tileRow * _columns.Tiles + tileColumn) * _outChannels;
        });
        fixed (long* table = offsets)
        {
            Transfer(new LaneTransfer
            {
                Transform = LaneTransform.Of(_rows.Output, _columns.Output, table),
                Items = images,
                Width = _outChannels,
                Planes = TensorMemory.Floats(planes) + image * _outChannels * OutPlane,
                PlaneStride = OutPlane,
                PlaneItemStride = _outChannels * OutPlane,
                Lanes = TensorMemory.Floats(lanes),
                LaneItemStride = (long)Tiles * _outChannels,
            }, toLanes);
        }

        GC.KeepAlive(planes);
        GC.KeepAlive(lanes);
    }

    private static void Transfer(LaneTransfer transfer, bool toLanes)
    {
        if (toLanes)
        {
            LaneTransfer.ToLanes(transfer);
        }
        else
        {
            LaneTransfer.ToPlanes(transfer);
        }
    }

    private static (long Phase, long Tile, long Product) Split(int row, WinogradAxis axis) =>
        (row / (axis.Tiles * axis.Products), row / axis.Products % axis.Tiles, row % axis.Products);

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
}
