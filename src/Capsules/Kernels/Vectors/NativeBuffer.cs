using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>Scratch memory of one kernel call, outside the managed heap and aligned for the widest vectors.</summary>
internal sealed unsafe class NativeBuffer : IDisposable
{
    private const int Alignment = 64;

    public NativeBuffer(long floats)
    {
        Pointer = (float*)NativeMemory.AlignedAlloc(checked((nuint)Math.Max(floats, 1) * sizeof(float)), Alignment);
    }

    public float* Pointer { get; private set; }

    /// <summary>The number of floats, rounded up so that what follows them is aligned too.</summary>
    public static long Aligned(long floats) => (floats + 15) / 16 * 16;

    public void Dispose()
    {
        NativeMemory.AlignedFree(Pointer);
        Pointer = null;
    }
}
