using System.Diagnostics;
using Spectre.Console;
using TorchSharp;
using static TorchSharp.torch;

namespace Capsules.Samples;

/// <summary>What <c>--precision</c> takes.</summary>
internal static class PrecisionChoice
{
    public const string Float32 = "float32", BFloat16 = "bfloat16", Tf32 = "tf32", Auto = "auto";

    public static readonly string[] Names = [Float32, BFloat16, Tf32, Auto];

    /// <summary>The precision of a name, and a word on it where that is not what the name says. auto measures.</summary>
    /// <exception cref="UserException">The device does not have it.</exception>
    public static Precision Resolve(string name, Device device, IAnsiConsole console)
    {
        var isFast = MixedPrecision.IsFast(ScalarType.BFloat16, device);
        switch (name)
        {
            case BFloat16:
                if (!isFast)
                {
                    console.Say("precision: bfloat16. This processor multiplies it no faster than float32: operands are rounded to bfloat16 and computed in float32.");
                }

                return Precision.BFloat16;
            case Tf32 when device.type != DeviceType.CUDA:
                throw new UserException("--precision tf32 is of NVIDIA GPUs, and this run computes on the CPU. Give --device cuda, or another --precision.");
            case Tf32 when CudaDriver.Inventory.Gpus.ElementAtOrDefault(Math.Max(device.index, 0)) is { Capability.Major: < 8 } older:
                throw new UserException($"--precision tf32 needs a GPU of compute capability 8.0 or later, and this is {older}. Give another --precision.");
            case Tf32:
                return Precision.Tf32;
            case Auto when !isFast:
                console.Say("precision: float32. This processor multiplies bfloat16 no faster.");
                return Precision.Float32;
            case Auto:
                var (full, half) = (Seconds(null, device), Seconds(ScalarType.BFloat16, device));
                var faster = half < full ? Precision.BFloat16 : Precision.Float32;
                console.Say($"precision: {(faster == Precision.BFloat16 ? BFloat16 : Float32)}. Primary capsules of 64 images, forward and backward: float32 {1e3 * full:f0} ms, bfloat16 {1e3 * half:f0} ms.");
                return faster;
            default:
                return Precision.Float32;
        }
    }

    // The convolution that takes most of a step, forward and backward; the best of three.
    private static double Seconds(ScalarType? computeDtype, Device device)
    {
        using var scope = NewDisposeScope();
        using var primary = new PrimaryCapsule(256, computeDtype: computeDtype, device: device);
        var images = rand([64, 256, 20, 20], device: device).requires_grad_();
        var best = double.MaxValue;
        for (var i = 0; i < 4; i++)
        {
            using var inner = NewDisposeScope();
            var start = Stopwatch.GetTimestamp();
            var sum = primary.call(images).sum();
            sum.backward();
            _ = sum.item<float>();      // waits for the result on any device
            best = i == 0 ? best : Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);      // the first is to warm up
        }

        return best;
    }
}
