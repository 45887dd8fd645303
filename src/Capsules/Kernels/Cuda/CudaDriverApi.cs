namespace Capsules;

/// <summary>NVIDIA's driver interface, as far as launching a kernel needs it.</summary>
internal sealed unsafe class CudaDriverApi
{
    private readonly CudaDriverLibrary _library;
    private readonly delegate* unmanaged<nint*, int, int> _primaryContextRetain;
    private readonly delegate* unmanaged<int, int> _primaryContextRelease;
    private readonly delegate* unmanaged<nint*, int> _contextGetCurrent;
    private readonly delegate* unmanaged<nint, int> _contextSetCurrent;
    private readonly delegate* unmanaged<nint*, void*, int> _moduleLoadData;
    private readonly delegate* unmanaged<nint*, nint, byte*, int> _moduleGetFunction;
    private readonly delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int> _launchKernel;

    private CudaDriverApi(CudaDriverLibrary library)
    {
        _library = library;
        _primaryContextRetain = (delegate* unmanaged<nint*, int, int>)library.Export("cuDevicePrimaryCtxRetain");
        _primaryContextRelease = (delegate* unmanaged<int, int>)library.Export("cuDevicePrimaryCtxRelease_v2");
        _contextGetCurrent = (delegate* unmanaged<nint*, int>)library.Export("cuCtxGetCurrent");
        _contextSetCurrent = (delegate* unmanaged<nint, int>)library.Export("cuCtxSetCurrent");
        _moduleLoadData = (delegate* unmanaged<nint*, void*, int>)library.Export("cuModuleLoadData");
        _moduleGetFunction = (delegate* unmanaged<nint*, nint, byte*, int>)library.Export("cuModuleGetFunction");
        _launchKernel = (delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)
            library.Export("cuLaunchKernel");
    }

    /// <summary>The driver of this machine.</summary>
    /// <exception cref="DllNotFoundException">There is none.</exception>
    /// <exception cref="EntryPointNotFoundException">It is too old.</exception>
    public static CudaDriverApi Load() => new(CudaDriverLibrary.Load());

    public int Multiprocessors(int device) => _library.Multiprocessors(device);

    public Version Capability(int device) => _library.Capability(device);

    /// <summary>The context that torch uses on a device, held until it is released as often.</summary>
    public nint PrimaryContext(int device)
    {
        nint context;
        Check(_primaryContextRetain(&context, device), "cuDevicePrimaryCtxRetain");
        return context;
    }

    public void ReleasePrimaryContext(int device) => Check(_primaryContextRelease(device), "cuDevicePrimaryCtxRelease");

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

    private void Check(int result, string call) => _library.Check(result, call);
}
