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

    /// <summary>The addresses of exported functions, which are kept in <paramref name="found"/> once all of them are there.</summary>
    /// <returns>Whether they are. An external libtorch may be loaded after the first time of asking.</returns>
    public static unsafe bool FindAll(ref nint[]? found, params ReadOnlySpan<string> names)
    {
        if (found is null)
        {
            var addresses = new nint[names.Length];
            for (var i = 0; i < names.Length; i++)
            {
                addresses[i] = (nint)Find(names[i]);
            }

            found = addresses.Contains(0) ? null : addresses;
        }

        return found is not null;
    }
}
