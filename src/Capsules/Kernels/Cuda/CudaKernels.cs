using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>The kernels of routing.cu on one GPU, launched on torch's own context and current stream.</summary>
internal sealed unsafe class CudaKernels : IKernelLauncher
{
    private static readonly ConcurrentDictionary<int, Lazy<Loaded>> Devices = new();

    private readonly CudaDriverApi _driver;
    private readonly int _device;
    private readonly nint _context;
    private readonly nint _module;
    private readonly delegate* unmanaged<int, nint*, int> _currentStream;
    private readonly ConcurrentDictionary<string, nint> _functions = new();

    private CudaKernels(int device)
    {
        _device = device;
        _driver = CudaDriverApi.Load();
        Multiprocessors = _driver.Multiprocessors(device);
        if (_driver.Capability(device) is { Major: < 7 } capability)
        {
            throw new NotSupportedException($"GPU {device} has compute capability {capability}, and the kernel needs 7.0.");
        }

        // torch_cuda is in the process already: this asks for the handle of the library that torch loaded.
        var torch = OperatingSystem.IsWindows() ? "torch_cuda.dll" : "libtorch_cuda.so";
        if (NativeLibrary.TryLoad(torch, typeof(Tensor).Assembly, null, out var library)
            && NativeLibrary.TryGetExport(library, "aoti_torch_get_current_cuda_stream", out var function))
        {
            _currentStream = (delegate* unmanaged<int, nint*, int>)function;
        }

        _context = _driver.PrimaryContext(device);
        var before = _driver.Enter(_context);
        try
        {
            _module = _driver.LoadModule(CudaPtx.Text);
        }
        finally
        {
            _driver.Leave(_context, before);
        }
    }

    /// <inheritdoc/>
    public int Multiprocessors { get; }

    /// <summary>The kernels on a GPU, loaded at the first call for it; null, with the reason, where they cannot be.</summary>
    public static CudaKernels? For(int device, out string? reason)
    {
        var loaded = Devices.GetOrAdd(device, static index => new Lazy<Loaded>(() => Loaded.On(index))).Value;
        reason = loaded.Reason;
        return loaded.Kernels;
    }

    /// <inheritdoc/>
    public void Launch<TArguments>(string kernel, int gridX, int gridY, int threads, int sharedBytes, in TArguments arguments)
        where TArguments : unmanaged
    {
        var before = _driver.Enter(_context);
        try
        {
            var function = _functions.GetOrAdd(kernel, static (name, self) => self._driver.Function(self._module, name), this);
            fixed (TArguments* argument = &arguments)
            {
                _driver.Launch(function, kernel, gridX, gridY, threads, sharedBytes, Stream(), argument);
            }
        }
        finally
        {
            _driver.Leave(_context, before);
        }
    }

    /// <summary>torch's current stream. Without the function that tells it, the default stream: TorchSharp sets no other.</summary>
    private nint Stream()
    {
        nint stream = 0;
        return _currentStream == null || _currentStream(_device, &stream) == 0
            ? stream
            : throw new InvalidOperationException($"libtorch does not tell its current stream on GPU {_device}.");
    }

    private sealed record Loaded(CudaKernels? Kernels, string? Reason)
    {
        public static Loaded On(int device)
        {
            try
            {
                return new(new CudaKernels(device), null);
            }
            catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException
                or InvalidOperationException or NotSupportedException or InvalidDataException)
            {
                return new(null, exception.Message);
            }
        }
    }
}
