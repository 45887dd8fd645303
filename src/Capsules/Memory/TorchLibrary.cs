using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>Entry points of libtorch that TorchSharp does not bind.</summary>
internal static class TorchLibrary
{
    /// <summary>The address of an exported function; null where this libtorch does not have it.</summary>
    public static unsafe void* Find(string name) =>
        NativeLibrary.TryLoad("torch_cpu", typeof(TorchLibrary).Assembly, null, out var library)
        && NativeLibrary.TryGetExport(library, name, out var address)
            ? (void*)address
            : null;
}
