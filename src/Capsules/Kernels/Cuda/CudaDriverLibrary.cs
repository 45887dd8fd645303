using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>NVIDIA's driver library, and what it tells of a GPU.</summary>
/// <remarks>
/// The driver is part of the machine, not of any package. The sample compiles this file too, rather than that the library shows it.
/// </remarks>
internal sealed unsafe class CudaDriverLibrary
{
    private const int MultiprocessorCount = 16, CapabilityMajor = 75, CapabilityMinor = 76;     // CUdevice_attribute in cuda.h

    private readonly Func<string, nint> _find;
    private readonly delegate* unmanaged<int*, int, int, int> _deviceGetAttribute;
    private readonly delegate* unmanaged<int, byte**, int> _getErrorString;

    /// <summary>A driver of functions that are found elsewhere than in this machine's library.</summary>
    /// <param name="find">The address of a function of a name; 0 where there is none.</param>
    /// <exception cref="EntryPointNotFoundException">It is too old.</exception>
    public CudaDriverLibrary(Func<string, nint> find)
    {
        _find = find;
        _deviceGetAttribute = (delegate* unmanaged<int*, int, int, int>)Export("cuDeviceGetAttribute");
        _getErrorString = (delegate* unmanaged<int, byte**, int>)Export("cuGetErrorString");
    }

    /// <summary>The driver of this machine.</summary>
    /// <exception cref="DllNotFoundException">There is none.</exception>
    /// <exception cref="EntryPointNotFoundException">It is too old.</exception>
    public static CudaDriverLibrary Load()
    {
        var library = NativeLibrary.Load(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1");
        return new(name => NativeLibrary.TryGetExport(library, name, out var address) ? address : 0);
    }

    /// <summary>The address of one of its functions.</summary>
    /// <exception cref="EntryPointNotFoundException">It has none of that name.</exception>
    public nint Export(string name) =>
        _find(name) is not 0 and var address ? address : throw new EntryPointNotFoundException($"NVIDIA's driver is too old for {name}.");

    public int Multiprocessors(int device) => Attribute(device, MultiprocessorCount);

    public Version Capability(int device) => new(Attribute(device, CapabilityMajor), Attribute(device, CapabilityMinor));

    /// <summary>Goes on where a call succeeded.</summary>
    /// <exception cref="CudaDriverException">It failed.</exception>
    public void Check(int result, string call)
    {
        if (result == 0)
        {
            return;
        }

        byte* text = null;
        _ = _getErrorString(result, &text);
        throw new CudaDriverException(call, result, text == null ? "unknown error" : Marshal.PtrToStringUTF8((nint)text)!);
    }

    private int Attribute(int device, int attribute)
    {
        int value;
        Check(_deviceGetAttribute(&value, attribute, device), "cuDeviceGetAttribute");
        return value;
    }
}

/// <summary>A call of NVIDIA's driver that failed.</summary>
internal sealed class CudaDriverException(string call, int error, string meaning) : InvalidOperationException(
    $"CUDA's {call} failed with error {error}, {meaning}. An error of an earlier operation may show here.")
{
    /// <summary>
    /// Errors of what is asked for rather than of the moment (CUresult in cuda.h): an image, PTX or source that this driver or GPU cannot
    /// take, no compiler for PTX or none allowed, a name that is not there, what is not supported.
    /// </summary>
    private static readonly int[] Lasting = [200, 209, 218, 221, 222, 223, 300, 500, 801];

    /// <summary>The function that failed.</summary>
    public string Call { get; } = call;

    /// <summary>CUDA's number of the error.</summary>
    public int Error { get; } = error;

    /// <summary>What the driver says of it.</summary>
    public string Meaning { get; } = meaning;

    /// <summary>Whether the same call may succeed later: memory may be free by then, or a context there.</summary>
    public bool MayPass => !Lasting.Contains(Error);
}
