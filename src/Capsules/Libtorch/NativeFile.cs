using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>A native library loaded by its full path, with the loader's own words where that fails.</summary>
internal static partial class NativeFile
{
    // dlfcn.h of glibc.
    private const int Lazy = 1, Now = 2, Global = 0x100;

    /// <summary>Loads a file, which stays for the life of the process.</summary>
    /// <param name="path">Its full path.</param>
    /// <param name="resolved">Whether every function that it needs must be there now, and not when it is first called. Linux alone has the choice.</param>
    /// <param name="shared">Whether libraries loaded later see its functions. Linux alone has the choice.</param>
    /// <returns>Null; or the loader's message, in one line.</returns>
    public static string? Load(string path, bool resolved = false, bool shared = false)
    {
        if (OperatingSystem.IsLinux())
        {
            _ = Error();      // forgets an older message; and binding the function itself, which the first call does, would forget the new one
            return Open(path, (resolved ? Now : Lazy) | (shared ? Global : 0)) != 0 ? null : Marshal.PtrToStringUTF8(Error()) ?? "no reason given";
        }

        try
        {
            _ = NativeLibrary.Load(path);
            return null;
        }
        catch (Exception failure) when (failure is DllNotFoundException or BadImageFormatException)
        {
            return failure.Message.ReplaceLineEndings(" ").Trim();
        }
    }

    [LibraryImport("libc.so.6", EntryPoint = "dlopen", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint Open(string path, int flags);

    [LibraryImport("libc.so.6", EntryPoint = "dlerror")]
    private static partial nint Error();
}
