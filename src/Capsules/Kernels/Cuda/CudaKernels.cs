using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Capsules;

/// <summary>The kernels of routing.cu on one GPU for one dtype, launched on torch's own context and current stream.</summary>
internal sealed unsafe class CudaKernels : IKernelLauncher
{
    private static readonly ConcurrentDictionary<(int Device, ScalarType Dtype), LoadedOnce<CudaKernels>> Loads = new();

    private readonly CudaDriverApi _driver;
    private readonly int _device;
    private readonly nint _context;
    private readonly nint _module;
    private readonly delegate* unmanaged<int, nint*, int> _currentStream;
    private readonly ConcurrentDictionary<string, nint> _functions = new();

    private CudaKernels(int device, ScalarType dtype)
    {
        (_device, Dtype) = (device, dtype);
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
        try
        {
            _module = Module();
        }
        catch
        {
            _driver.ReleasePrimaryContext(device);
            throw;
        }
    }

    /// <inheritdoc/>
    public ScalarType Dtype { get; }

    /// <inheritdoc/>
    public int Multiprocessors { get; }

    /// <summary>
    /// The kernels on a GPU for tensors of a dtype, loaded at the first call for them; null, with the reason, where they could not be.
    /// Either way that is decided for the life of the process.
    /// </summary>
    public static CudaKernels? For(int device, ScalarType dtype, out string? reason) =>
        Loads.GetOrAdd((device, dtype), static key => LoadOf(key.Device, key.Dtype)).Get(out reason);

    /// <summary>Why an exception leaves a GPU without the kernels; null of an exception that is a defect.</summary>
    public static string? WhyNot(Exception exception) => exception switch
    {
        CudaDriverException { MayPass: true } => $"{exception.Message} This may pass, but it is decided until the program ends, " +
            "so that its results are of one kind: start it anew to try again.",
        DllNotFoundException or EntryPointNotFoundException or BadImageFormatException => exception.Message,
        InvalidOperationException or NotSupportedException or InvalidDataException => exception.Message,
        _ => null,
    };

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

    private nint Module()
    {
        var before = _driver.Enter(_context);
        try
        {
            return _driver.LoadModule(CudaPtx.Text(Dtype));
        }
        finally
        {
            _driver.Leave(_context, before);
        }
    }

    private static LoadedOnce<CudaKernels> LoadOf(int device, ScalarType dtype) => new(() => new CudaKernels(device, dtype), WhyNot);
}
