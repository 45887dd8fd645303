using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>An argument of an operation that is called by name.</summary>
internal readonly record struct DispatchedArgument(ulong Bits, IReadOnlyList<torch.Tensor>? Tensors)
{
    public static DispatchedArgument None => default;

    public static DispatchedArgument Of(double value) => new(BitConverter.DoubleToUInt64Bits(value), null);

    public static DispatchedArgument Of(bool value) => new(value ? 1u : 0u, null);

    public static DispatchedArgument Of(IReadOnlyList<torch.Tensor> tensors) => new(0, tensors);
}

/// <summary>Operations of libtorch that TorchSharp does not bind, called by name through libtorch's stable C interface.</summary>
internal static unsafe class TorchDispatcher
{
    // The version of the interface's conventions: libtorch 2.10, which first had it.
    private const ulong Abi = 0x020A000000000000;

    private static nint[]? _functions;

    /// <summary>Whether this libtorch has the interface (2.10 and later).</summary>
    public static bool IsAvailable => TorchLibrary.FindAll(
        ref _functions, "torch_call_dispatcher", "torch_new_list_reserve_size", "torch_list_push_back", "aoti_torch_new_tensor_handle");

    private static delegate* unmanaged[Cdecl]<byte*, byte*, ulong*, ulong, int> Dispatch =>
        (delegate* unmanaged[Cdecl]<byte*, byte*, ulong*, ulong, int>)_functions![0];

    private static delegate* unmanaged[Cdecl]<nuint, nint*, int> NewList => (delegate* unmanaged[Cdecl]<nuint, nint*, int>)_functions![1];

    private static delegate* unmanaged[Cdecl]<nint, ulong, int> PushBack => (delegate* unmanaged[Cdecl]<nint, ulong, int>)_functions![2];

    private static delegate* unmanaged[Cdecl]<nint, nint*, int> NewHandle => (delegate* unmanaged[Cdecl]<nint, nint*, int>)_functions![3];

    /// <summary>Calls an operation that returns nothing. To be called where <see cref="IsAvailable"/>.</summary>
    /// <param name="operation">As "aten::_fused_adam_".</param>
    /// <param name="arguments">All of its arguments, in order.</param>
    /// <exception cref="InvalidOperationException">libtorch refused; it wrote the reason to standard error.</exception>
    public static void Call(string operation, ReadOnlySpan<DispatchedArgument> arguments)
    {
        var stack = stackalloc ulong[Math.Max(arguments.Length, 1)];
        for (var i = 0; i < arguments.Length; i++)
        {
            // Handles on the stack belong to the operation, which frees them.
            stack[i] = arguments[i].Tensors is { } tensors ? (ulong)List(tensors) : arguments[i].Bits;
        }

        var name = Marshal.StringToCoTaskMemUTF8(operation);
        byte overload = 0;
        try
        {
            Check(Dispatch((byte*)name, &overload, stack, Abi), operation);
        }
        finally
        {
            Marshal.FreeCoTaskMem(name);
        }

        foreach (var argument in arguments)
        {
            GC.KeepAlive(argument.Tensors);
        }
    }

    private static nint List(IReadOnlyList<torch.Tensor> tensors)
    {
        nint list;
        Check(NewList((nuint)tensors.Count, &list), "torch_new_list_reserve_size");
        foreach (var tensor in tensors)
        {
            nint handle;
            Check(NewHandle(tensor.Handle, &handle), "aoti_torch_new_tensor_handle");
            Check(PushBack(list, (ulong)handle), "torch_list_push_back");
        }

        return list;
    }

    private static void Check(int code, string what)
    {
        if (code != 0)
        {
            throw new InvalidOperationException($"libtorch could not run {what}; the reason is on standard error.");
        }
    }
}
