using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>Raw access to the memory of a tensor.</summary>
internal static unsafe class TensorMemory
{
    private const int PieceBytes = 1 << 26;      // spans end at 2 GiB, tensors do not

    public delegate void PieceAction(Span<byte> bytes, long offset);

    /// <summary>The first element of a contiguous float32 CPU tensor. The caller keeps the tensor alive while it uses the pointer.</summary>
    public static float* Floats(torch.Tensor tensor) => (float*)THSTensor_data(tensor.Handle);

    /// <summary>The same for a tensor of any dtype.</summary>
    public static void* Address(torch.Tensor tensor) => (void*)THSTensor_data(tensor.Handle);

    /// <summary>
    /// Hands out the memory of a contiguous CPU tensor piece by piece, to read or to write; the action gets each piece and where it begins.
    /// </summary>
    public static void Visit(torch.Tensor tensor, PieceAction action)
    {
        var start = (byte*)THSTensor_data(tensor.Handle);
        var bytes = tensor.numel() * tensor.element_size();
        for (var done = 0L; done < bytes; done += PieceBytes)
        {
            action(new Span<byte>(start + done, (int)Math.Min(PieceBytes, bytes - done)), done);
        }

        GC.KeepAlive(tensor);
    }

    // The only way in TorchSharp to a pointer that counts the view's offset, for every dtype, without a copy or an allocation.
    [DllImport("LibTorchSharp")]
    private static extern nint THSTensor_data(nint handle);
}
