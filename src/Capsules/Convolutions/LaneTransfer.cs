namespace Capsules;

/// <summary>A <see cref="LaneTransform"/> of many groups of planes, on libtorch's threads.</summary>
/// <remarks>Items times groups of 16 planes; an item is an image, or an input channel of a filter.</remarks>
internal unsafe struct LaneTransfer
{
    public LaneTransform Transform;

    /// <summary>Items, and planes in each.</summary>
    public int Items, Width;

    /// <summary>The first plane, and the distances from plane to plane and from item to item.</summary>
    public float* Planes;
    public long PlaneStride, PlaneItemStride;

    /// <summary>The base of the lanes, and the distance from item to item. Neighbouring planes are neighbouring floats.</summary>
    public float* Lanes;
    public long LaneItemStride;

    private readonly int Groups => (Width + LaneTransform.Lanes - 1) / LaneTransform.Lanes;

    public static void ToLanes(LaneTransfer transfer) => ParallelFor.Run(transfer.Items * transfer.Groups, &OneToLanes, &transfer);

    public static void ToPlanes(LaneTransfer transfer) => ParallelFor.Run(transfer.Items * transfer.Groups, &OneToPlanes, &transfer);

    private static void OneToLanes(int number, void* state)
    {
        var transfer = (LaneTransfer*)state;
        var (item, first, count) = transfer->Place(number);
        using var scratch = new NativeBuffer(transfer->Transform.Scratch);
        transfer->Transform.ToLanes(
            transfer->Planes + item * transfer->PlaneItemStride + first * transfer->PlaneStride, transfer->PlaneStride, count,
            transfer->Lanes + item * transfer->LaneItemStride + first, scratch.Pointer);
    }

    private static void OneToPlanes(int number, void* state)
    {
        var transfer = (LaneTransfer*)state;
        var (item, first, count) = transfer->Place(number);
        using var scratch = new NativeBuffer(transfer->Transform.Scratch);
        transfer->Transform.ToPlanes(
            transfer->Lanes + item * transfer->LaneItemStride + first,
            transfer->Planes + item * transfer->PlaneItemStride + first * transfer->PlaneStride, transfer->PlaneStride, count, scratch.Pointer);
    }

    private readonly (long Item, long First, int Count) Place(int number)
    {
        var first = number % Groups * LaneTransform.Lanes;
        return (number / Groups, first, Math.Min(LaneTransform.Lanes, Width - first));
    }
}
