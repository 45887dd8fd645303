using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>The memory of large results on the CPU, which the next result of that size takes over where the program asked to keep it.</summary>
/// <remarks>
/// A step takes the same blocks of tens of megabytes as the step before. In a heap that holds small things too, one of these that stays
/// in the place of a large block makes the heap longer by that block, at any time of a run. Blocks here are whole, and none is cut.
/// </remarks>
internal static unsafe class LargeBlocks
{
    private const long Least = 1 << 20, Most = 1L << 46;      // beyond what a processor addresses, and far from where bytes would overflow

    // Before the data: how large the block is. As long as torch aligns tensors.
    private const int Header = 64;

    private static readonly Lock Gate = new();
    private static readonly List<nint> Kept = [];
    private static long _kept, _used, _mostUsed;      // bytes

    /// <summary>Whether blocks are kept. Default: no, every result is torch's own.</summary>
    public static bool IsOn { get; set; }

    /// <summary>Bytes of all blocks, in use and kept.</summary>
    public static long Bytes => _used + _kept;

    /// <summary>The most bytes that were in use at once.</summary>
    public static long MostUsed => _mostUsed;

    /// <summary>A tensor of any content, on the CPU by default.</summary>
    public static Tensor Empty(long[] shape, ScalarType dtype, Device? device = null)
    {
        var bytes = shape.Aggregate((double)dtype.ElementSize(), (product, size) => product * size);
        if (!IsOn || bytes is not (>= Least and <= Most) || device is { type: not DeviceType.CPU } || Take((long)bytes) is not (not 0 and var block))
        {
            return empty(shape, dtype, device);      // and torch says of what there is no room for
        }

        nint handle;
        fixed (long* sizes = shape)
        {
            handle = THSTensor_new(block + Header, &Release, sizes, shape.Length, (sbyte)dtype, (sbyte)dtype, (int)DeviceType.CPU, -1, 0);
        }

        if (handle == 0)
        {
            CheckForErrors();      // the block may have been released already: rather lost than given to two tensors
        }

        return Tensor.UnsafeCreateTensor(handle);
    }

    /// <summary>Frees what no tensor has.</summary>
    /// <returns>Whether there was any.</returns>
    public static bool Trim()
    {
        lock (Gate)
        {
            return FreeDownTo(0);
        }
    }

    // 0 where there is no memory.
    private static nint Take(long bytes)
    {
        lock (Gate)
        {
            for (var i = Kept.Count - 1; i >= 0; i--)      // the last one freed is the likeliest in the caches
            {
                if (Kept[i] is var kept && SizeOf(kept) == bytes)
                {
                    Kept.RemoveAt(i);
                    _kept -= bytes;
                    _used += bytes;
                    return kept;
                }
            }

            // Sizes that are no longer asked for do not add up: all blocks together are at most twice what was ever used at once.
            FreeDownTo(2 * Math.Max(_mostUsed, _used + bytes) - _used - bytes);
            var block = Allocate(bytes);
            if (block == 0 && FreeDownTo(0))
            {
                block = Allocate(bytes);
            }

            if (block != 0)
            {
                SizeOf(block) = bytes;
                _used += bytes;
                _mostUsed = Math.Max(_mostUsed, _used);
            }

            return block;
        }
    }

    private static nint Allocate(long bytes)
    {
        try
        {
            return (nint)NativeMemory.AlignedAlloc((nuint)(Header + bytes), Header);
        }
        catch (OutOfMemoryException)
        {
            return 0;
        }
    }

    // The longest unused first.
    private static bool FreeDownTo(long bytes)
    {
        var any = false;
        while (_kept > bytes)
        {
            any = true;
            _kept -= SizeOf(Kept[0]);
            NativeMemory.AlignedFree((void*)Kept[0]);
            Kept.RemoveAt(0);
        }

        return any;
    }

    private static ref long SizeOf(nint block) => ref *(long*)block;

    // Called by torch when the last tensor on the block is gone.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Release(nint data)
    {
        var block = data - Header;
        lock (Gate)
        {
            Kept.Add(block);
            _used -= SizeOf(block);
            _kept += SizeOf(block);
        }
    }

    [DllImport("LibTorchSharp")]
    private static extern nint THSTensor_new(
        nint data, delegate* unmanaged[Cdecl]<nint, void> deleter, long* sizes, int dimensions, sbyte type, sbyte dtype, int deviceType, int deviceIndex,
        byte requiresGrad);
}
