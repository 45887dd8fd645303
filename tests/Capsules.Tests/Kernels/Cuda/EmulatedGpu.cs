using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using static TorchSharp.torch;

namespace Capsules.Tests.Kernels;

/// <summary>routing.cu compiled as plain C++ that computes in float32, with the processor's memory as the device's.</summary>
internal sealed unsafe class EmulatedGpu : IKernelLauncher
{
    private static readonly string[] Compilers = ["g++", "clang++", "clang++-14"];

    // int capsules_emulate(name, gridX, gridY, threads, sharedBytes, arguments, order, message) in benchmarks/cuda/emulation.cpp
    private readonly delegate* unmanaged<byte*, int, int, int, int, void*, int, byte*, int> _emulate;

    private EmulatedGpu(nint function, ScalarType dtype, int multiprocessors)
    {
        _emulate = (delegate* unmanaged<byte*, int, int, int, int, void*, int, byte*, int>)function;
        (Dtype, Multiprocessors) = (dtype, multiprocessors);
    }

    public ScalarType Dtype { get; }

    public int Multiprocessors { get; }

    /// <summary>Launches so far.</summary>
    public int Launches { get; private set; }

    /// <summary>The same GPU with another number of multiprocessors, which divides the work otherwise.</summary>
    public EmulatedGpu With(int multiprocessors) => new((nint)_emulate, Dtype, multiprocessors);

    /// <summary>Compiles it into a folder; null where there is no C++ compiler.</summary>
    public static EmulatedGpu? Build(string folder, ScalarType dtype)
    {
        var compiler = Compiler();
        if (compiler is null)
        {
            return null;
        }

        var library = Path.Combine(folder, $"emulation-{dtype}.so");
        Run(
            compiler, "-std=c++17", "-O1", "-shared", "-fPIC", "-DEMULATED_REAL=float", $"-DSTORED_{dtype.ToString().ToUpperInvariant()}",
            "-I", CudaSources.Emulation, "-I", CudaSources.Kernel, Path.Combine(CudaSources.Emulation, "emulation.cpp"), "-o", library);
        return new(NativeLibrary.GetExport(NativeLibrary.Load(library), "capsules_emulate"), dtype, multiprocessors: 4);
    }

    public void Launch<TArguments>(string kernel, int gridX, int gridY, int threads, int sharedBytes, in TArguments arguments)
        where TArguments : unmanaged
    {
        Launches++;
        var message = stackalloc byte[256];
        fixed (byte* name = Encoding.ASCII.GetBytes(kernel + '\0'))
        fixed (TArguments* argument = &arguments)
        {
            if (_emulate(name, gridX, gridY, threads, sharedBytes, argument, 0, message) != 0)
            {
                throw new InvalidOperationException(Marshal.PtrToStringUTF8((nint)message));
            }
        }
    }

    private static string? Compiler() => !OperatingSystem.IsLinux() ? null
        : Compilers.FirstOrDefault(name =>
            (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, name))));

    private static void Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {errors}");
        }
    }
}
