using System.Runtime.InteropServices;

namespace Capsules.Samples.Tests;

/// <summary>A driver of CUDA 12.8 with two GPUs, whose functions can be made to fail or to be missing. One at a time on a thread.</summary>
internal static unsafe class StubDriver
{
    [ThreadStatic]
    private static Dictionary<string, int>? _failures;

    /// <summary>Loads it.</summary>
    /// <param name="failures">The errors that functions give, by name; of cuDeviceGetAttribute by name and attribute.</param>
    /// <param name="missing">Functions that it lacks.</param>
    public static Func<CudaDriverLibrary> With(Dictionary<string, int>? failures = null, params string[] missing) => () =>
    {
        _failures = failures ?? [];
        return new(name => missing.Contains(name) ? 0 : Function(name));
    };

    private static nint Function(string name) => name switch
    {
        "cuInit" => (nint)(delegate* unmanaged<uint, int>)&Init,
        "cuDriverGetVersion" => (nint)(delegate* unmanaged<int*, int>)&DriverVersion,
        "cuDeviceGetCount" => (nint)(delegate* unmanaged<int*, int>)&Count,
        "cuDeviceGetName" => (nint)(delegate* unmanaged<byte*, int, int, int>)&Name,
        "cuDeviceTotalMem_v2" => (nint)(delegate* unmanaged<nuint*, int, int>)&Memory,
        "cuDeviceGetAttribute" => (nint)(delegate* unmanaged<int*, int, int, int>)&Attribute,
        "cuGetErrorString" => (nint)(delegate* unmanaged<int, byte**, int>)&ErrorString,
        _ => 0,
    };

    private static int Result(string name) => _failures!.GetValueOrDefault(name);

    [UnmanagedCallersOnly]
    private static int Init(uint flags) => Result("cuInit");

    [UnmanagedCallersOnly]
    private static int DriverVersion(int* version)
    {
        *version = 12080;
        return Result("cuDriverGetVersion");
    }

    [UnmanagedCallersOnly]
    private static int Count(int* count)
    {
        *count = 2;
        return Result("cuDeviceGetCount");
    }

    [UnmanagedCallersOnly]
    private static int Name(byte* text, int size, int device)
    {
        var name = "Stub GPU\0"u8;
        name.CopyTo(new Span<byte>(text, size));
        return Result("cuDeviceGetName");
    }

    [UnmanagedCallersOnly]
    private static int Memory(nuint* bytes, int device)
    {
        *bytes = (nuint)3 << 30;
        return Result("cuDeviceTotalMem_v2");
    }

    [UnmanagedCallersOnly]
    private static int Attribute(int* value, int attribute, int device)
    {
        *value = attribute switch { 16 => 84, 75 => 8, 76 => 6, _ => -1 };
        return Result($"cuDeviceGetAttribute {attribute}");
    }

    [UnmanagedCallersOnly]
    private static int ErrorString(int error, byte** text)
    {
        fixed (byte* meaning = "a stub's error\0"u8)      // in the program's own constants, which do not move
        {
            *text = meaning;
        }

        return 0;
    }
}
