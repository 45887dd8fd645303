namespace Capsules.Benchmarks;

/// <summary>What this library promises of a whole network at batch 100, beside op by op with the same allocator, and whether a run shows it.</summary>
internal static class NetworkTargets
{
    public static IReadOnlyList<Target> Of(NetworkComparison run)
    {
        var (full, half, plain) = (run[TrainedNetwork.OursFloat32], run[TrainedNetwork.OursBFloat16], run[TrainedNetwork.PlainTuned]);
        return run.Machine.Gpu is not null ? [] :      // no promise of a GPU yet
        [
            AtLeast("training step, float32: at least 2 times as fast as op by op, allocator tuned", plain.Training.Median / full.Training.Median, 2),
            AtLeast("training step, bfloat16: at least 3 times", plain.Training.Median / half.Training.Median, 3),
            AtMost("training step, float32: at most 1.25 times its own convolutions", full.Training.Median / full.Convolutions!.Median, 1.25),
            AtMost("training step, bfloat16: at most 1.25 times its own convolutions", half.Training.Median / half.Convolutions!.Median, 1.25),
            AtLeast("inference, float32: at least 2 times as fast as op by op, allocator tuned", plain.Inference.Median / full.Inference.Median, 2),
            AtLeast("inference, bfloat16: at least 4 times", plain.Inference.Median / half.Inference.Median, 4),
            Memory("peak memory of a step, float32: at most 40 % of op by op, allocator tuned", full, plain),
            Memory("peak memory of a step, bfloat16: at most 40 % of op by op, allocator tuned", half, plain),
        ];
    }

    private static Target AtLeast(string statement, double ratio, double least) => new(statement, $"{ratio:f2} times", ratio >= least);

    private static Target AtMost(string statement, double ratio, double most) => new(statement, $"{ratio:f2} times", ratio <= most);

    private static Target Memory(string statement, NetworkResult ours, NetworkResult plain) => ours.Peak is { } a && plain.Peak is { } b
        ? new(statement, $"{100 * a / b:f0} %", a / b <= 0.4)
        : new(statement, "not measured", null);
}
