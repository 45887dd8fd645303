using System.Diagnostics;

namespace Capsules.Benchmarks;

/// <summary>A process that serves a few batches with one of the two and prints its resident memory in bytes.</summary>
internal static class OnnxChild
{
    public const string Name = "onnx-child";

    private const string Runtime = "onnx", Torch = "torch";

    /// <summary>Megabytes that a process with ONNX Runtime alone takes, and one with this library on libtorch.</summary>
    /// <exception cref="InvalidOperationException">A process failed; its message is above.</exception>
    public static (double Onnx, double Torch) Memory(string file, string model, int batch, int threads) =>
        (Ask(Runtime, file, batch, threads), Ask(Torch, model, batch, threads));

    /// <summary>Arguments: which of the two, the file or model, the batch, threads.</summary>
    public static int Run(string[] args)
    {
        var (batch, threads) = (int.Parse(args[2]), int.Parse(args[3]));
        var resident = args[0] == Runtime ? WithOnnx(args[1], batch, threads) : WithTorch(args[1], batch, threads);
        Console.WriteLine(resident.ToString());
        return 0;
    }

    private static long WithOnnx(string file, int batch, int threads)
    {
        using var session = new OnnxSession(file, threads);
        var shape = session.Shape(batch);
        var images = new float[shape.Aggregate(1L, (product, size) => product * size)];
        for (var i = 0; i < 10; i++)
        {
            session.Lengths(images, shape);
        }

        using var process = Process.GetCurrentProcess();
        return process.Modules.Cast<ProcessModule>().Any(module => module.ModuleName.Contains("torch_cpu", StringComparison.Ordinal))
            ? throw new InvalidOperationException("libtorch is loaded, and its memory would count as ONNX Runtime's.")
            : process.WorkingSet64;
    }

    private static long WithTorch(string model, int batch, int threads)
    {
        torch.set_num_threads(threads);
        using var network = new ServedNetwork(model);
        var images = new float[batch * 784];
        for (var i = 0; i < 10; i++)
        {
            network.Lengths(images, [batch, 1, 28, 28]);
        }

        using var process = Process.GetCurrentProcess();
        return process.WorkingSet64;
    }

    private static double Ask(params object[] arguments)
    {
        using var process = SelfProcess.Start(
            false, [Name, .. arguments.Select(argument => $"{argument}")]);
        var line = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? double.Parse(line) / 1e6
            : throw new InvalidOperationException($"The process of '{arguments[0]}' failed; its message is above.");
    }
}
