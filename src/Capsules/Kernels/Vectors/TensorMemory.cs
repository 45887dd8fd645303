using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>Raw access to the memory of a tensor.</summary>
internal static unsafe class TensorMemory
{
    /// <summary>The first element of a contiguous float32 CPU tensor. The caller keeps the tensor alive while it uses the pointer.</summary>
    public static float* Floats(torch.Tensor tensor) => (float*)THSTensor_data(tensor.Handle);

    // The only way in TorchSharp to a pointer that counts the view's offset, for every dtype, without a copy or an allocation.
    [DllImport("LibTorchSharp")]
    private static extern nint THSTensor_data(nint handle);
}
