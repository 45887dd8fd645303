using System.Runtime.InteropServices;

namespace Capsules;

/// <summary>NVIDIA's driver interface, as far as launching a kernel needs it, from the driver's own library.</summary>
/// <remarks>The driver is part of the machine, not of any package; where it is not, nothing here is called.</remarks>
internal sealed unsafe class CudaDriverApi
{
    private const int MultiprocessorCount = 16, CapabilityMajor = 75, CapabilityMinor = 76;     // CUdevice_attribute in cuda.h

    private readonly delegate* unmanaged<int*, int, int, int> _deviceGetAttribute;
    private readonly delegate* unmanaged<nint*, int, int> _primaryContextRetain;
    private readonly delegate* unmanaged<nint*, int> _contextGetCurrent;
    private readonly delegate* unmanaged<nint, int> _contextSetCurrent;
    private readonly delegate* unmanaged<nint*, void*, int> _moduleLoadData;
    private readonly delegate* unmanaged<nint*, nint, byte*, int> _moduleGetFunction;
    private readonly delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int> _launchKernel;
    private readonly delegate* unmanaged<int, byte**, int> _getErrorString;

    private CudaDriverApi(nint library)
    {
        nint Export(string name) => NativeLibrary.GetExport(library, name);
        _deviceGetAttribute = (delegate* unmanaged<int*, int, int, int>)Export("cuDeviceGetAttribute");
        _primaryContextRetain = (delegate* unmanaged<nint*, int, int>)Export("cuDevicePrimaryCtxRetain");
        _contextGetCurrent = (delegate* unmanaged<nint*, int>)Export("cuCtxGetCurrent");
        _contextSetCurrent = (delegate* unmanaged<nint, int>)Export("cuCtxSetCurrent");
        _moduleLoadData = (delegate* unmanaged<nint*, void*, int>)Export("cuModuleLoadData");
        _moduleGetFunction = (delegate* unmanaged<nint*, nint, byte*, int>)Export("cuModuleGetFunction");
        _launchKernel =
            (delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)Export("cuLaunchKernel");
        _getErrorString = (delegate* unmanaged<int, byte**, int>)Export("cuGetErrorString");
    }

    /// <summary>The driver of this machine.</summary>
    /// <exception cref="DllNotFoundException">There is none.</exception>
    /// <exception cref="EntryPointNotFoundException">It is too old.</exception>
    public static CudaDriverApi Load() => new(NativeLibrary.Load(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1"));

    public int Multiprocessors(int device) => Attribute(device, MultiprocessorCount);

    public Version Capability(int device) => new(Attribute(device, CapabilityMajor), Attribute(device, CapabilityMinor));

    /// <summary>The context that torch uses on a device.</summary>
    public nint PrimaryContext(int device)
    {
        nint context;
        Check(_primaryContextRetain(&context, device), "cuDevicePrimaryCtxRetain");
        return context;
    }

    /// <summary>Makes a context the calling thread's, and returns the one that was.</summary>
    public nint Enter(nint context)
    {
        nint before;
        Check(_contextGetCurrent(&before), "cuCtxGetCurrent");
        if (before != context)
        {
            Check(_contextSetCurrent(context), "cuCtxSetCurrent");
        }

        return before;
    }

    /// <summary>The way back from <see cref="Enter"/>. Without a context before, the thread keeps the one it has, as with torch.</summary>
    public void Leave(nint context, nint before)
    {
        if (before != 0 && before != context)
        {
            Check(_contextSetCurrent(before), "cuCtxSetCurrent");
        }
    }

    /// <summary>Compiles PTX, ended by a zero, for the current context's device.</summary>
    public nint LoadModule(ReadOnlySpan<byte> ptx)
    {
        nint module;
        fixed (byte* text = ptx)
        {
            Check(_moduleLoadData(&module, text), "cuModuleLoadData");
        }

        return module;
    }

    public nint Function(nint module, string name)
    {
        nint function;
        fixed (byte* text = System.Text.Encoding.ASCII.GetBytes(name + '\0'))
        {
            Check(_moduleGetFunction(&function, module, text), $"cuModuleGetFunction of {name}");
        }

        return function;
    }

    public void Launch(nint function, string name, int gridX, int gridY, int threads, int sharedBytes, nint stream, void* argument) =>
        Check(
            _launchKernel(function, (uint)gridX, (uint)gridY, 1, (uint)threads, 1, 1, (uint)sharedBytes, stream, &argument, null),
            $"cuLaunchKernel of {name} ({gridX} x {gridY} blocks of {threads} threads, {sharedBytes} bytes)");

    private int Attribute(int device, int attribute)
    {
        int value;
        Check(_deviceGetAttribute(&value, attribute, device), "cuDeviceGetAttribute");
        return value;
    }

    private void Check(int result, string call)
    {
        if (result == 0)
        {
            return;
        }

        byte* text = null;
        _ = _getErrorString(result, &text);
        var meaning = text == null ? "unknown error" : Marshal.PtrToStringUTF8((nint)text);
        throw new InvalidOperationException(
            $"CUDA's {call} failed with error {result}, {meaning}. An error of an earlier operation may show here.");
    }
}
