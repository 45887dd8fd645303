using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>Raw access to the memory of a tensor.</summary>
internal static unsafe class TensorMemory
{
    private const int PieceBytes = 1 << 26;      // spans end at 2 GiB, tensors do not

    public delegate void PieceAction(Span<byte> bytes, long offset);

    public delegate void ReadAction(ReadOnlySpan<byte> bytes);

    /// <summary>The first element of a contiguous float32 CPU tensor. The caller keeps the tensor alive while it uses the pointer.</summary>
    public static float* Floats(torch.Tensor tensor) => (float*)THSTensor_data(tensor.Handle);

    /// <summary>Fills a contiguous CPU tensor of so many bytes, piece by piece; the action gets each piece and where it begins.</summary>
    public static void Fill(torch.Tensor tensor, long bytes, PieceAction fill)
    {
        var start = (byte*)THSTensor_data(tensor.Handle);
        for (var done = 0L; done < bytes; done += PieceBytes)
        {
            fill(new Span<byte>(start + done, (int)Math.Min(PieceBytes, bytes - done)), done);
        }

        GC.KeepAlive(tensor);
    }

    /// <summary>Hands out a contiguous CPU tensor of so many bytes, piece by piece.</summary>
    public static void Drain(torch.Tensor tensor, long bytes, ReadAction read)
    {
        var start = (byte*)THSTensor_data(tensor.Handle);
        for (var done = 0L; done < bytes; done += PieceBytes)
        {
            read(new ReadOnlySpan<byte>(start + done, (int)Math.Min(PieceBytes, bytes - done)));
        }

        GC.KeepAlive(tensor);
    }

    // The only way in TorchSharp to a pointer that counts the view's offset, for every dtype, without a copy or an allocation.
    [DllImport("LibTorchSharp")]
    private static extern nint THSTensor_data(nint handle);
}
